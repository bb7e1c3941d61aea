"""Speed as ratios against named baselines: both arms in one run, in turns, with equal outputs."""

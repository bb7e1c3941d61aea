"""A policy from anywhere: parsed, checked against a robot, mended, compared and converted. Nothing moves.

python examples/check_a_policy.py [--smoke]
"""

import sys

from vlp.policy.checks import check_policy
from vlp.policy.convert import convert
from vlp.policy.model import diff, tree_lines
from vlp.sim.fake.robot import fake_manifest

WRITTEN = """{"goal":"the red cube is in the green bowl","subtasks":[
 {"name":"pick up the red cube","steps":[
  {"do":"locate","object":"red cube","as":"red_cube"},
  {"do":"grasp","target":"$red_cub"},
  {"do":"lift","height_m":0.9}]}]}"""

MENDED = """{"goal":"the red cube is in the green bowl","subtasks":[
 {"name":"pick up the red cube","steps":[
  {"do":"locate","object":"red cube","as":"red_cube"},
  {"do":"grasp","target":"$red_cube"},
  {"do":"lift","height_m":0.1}]},
 {"name":"put it in the green bowl","steps":[
  {"do":"locate","object":"green bowl","as":"green_bowl"},
  {"do":"place","target":"$green_bowl","relation":"in"}]}]}"""


def main() -> int:
    """Show each stage."""
    manifest = fake_manifest()  # any robot's describe() gives one
    for text in (WRITTEN, WRITTEN.replace("0.9", "0.1")):
        plan, report = check_policy(text, manifest)
        print(f"refused, and this is what goes back to the model:\n{report}\n")
        if plan is not None:
            return 1
    plan, report = check_policy(MENDED, manifest)
    if plan is None:
        print(report)
        return 1
    print("accepted:", *tree_lines(plan), sep="\n")
    print("\nas a script for people:\n" + convert(plan, "python"))
    changed, _ = check_policy(MENDED.replace("green", "blue"), manifest)
    if changed is None:
        return 1
    print("what another bowl would change after two steps:\n" + str(diff(plan, changed, manifest, done=["1.1", "1.2"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())

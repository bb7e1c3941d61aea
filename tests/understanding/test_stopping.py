"""Words for stopping: "stop." and "please stop" went to the model, which grasped on; `vlp run "stop"` cleared the table."""

import pytest

from vlp.understanding.stopping import says_stop


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text, parted by bars and ends of lines."""
    return [sentence.strip() for line in text.splitlines() for sentence in line.split("|") if sentence.strip()]


STOP = _sentences(
    """
    stop | Stop. | STOP!!! | please stop | stop now | stop it | can you stop | you must stop now | I said stop
    ok robot please stop | wait | wait! | Wait a moment | halt | freeze | don't | Don't! | do not | don’t move
    enough | that's enough, thank you | abort | cancel | cancel that | hold on | hold on a second | just a second
    whoa | no no no | not yet | stooop | stpo | wiat | STOP the robot | stop moving | stop, that is wrong
    stop putting things in the bin | quit it | cut it out 
    sopt | terminate this motion | ahh stop | never mind | leave it 
    look, stop | stоp | i changed my mind | that's wrong | undo | s t o p | emergency stop | e-stop
    stay where you are | stand still | hands off | careful! | pause please | stop. now. | ¡alto! | halt, sofort
    """
)


GO_ON = _sentences(
    """
    put the red cube in the bowl | put it in the box and then stop | the can's stop is the bin
    about the blue cup, it goes on the tray | hold on, the blue bowl | no, the red one
    never mind that, put it on the plate | leave the cube on the tray | hold the red cube | shop
    I can't wait to see the ball in the box | put the ball next to the stopper | the waiting can
    cancel that, put it on the table | step
    """
)


@pytest.mark.parametrize("text", STOP)
def test_words_for_stopping_stop(text: str):
    assert says_stop(text)


@pytest.mark.parametrize("text", GO_ON)
def test_other_sentences_do_not(text: str):
    assert not says_stop(text)

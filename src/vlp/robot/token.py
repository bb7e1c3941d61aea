"""A robot's token, as it travels in a header: what is wrong with one is told without telling it."""

from vlp.core.errors import UsageError

SHORTEST_TOKEN = 8


def check_token(token: str) -> None:
    """Raise UsageError for a token that no server can have: none at all, or one with a character that no header takes."""
    if not token:
        raise UsageError(
            "no token for the robot's server was given.", "Set VLP_ROBOT_TOKEN to what the server printed when it started."
        )
    odd = next((place for place, letter in enumerate(token, 1) if not "!" <= letter <= "~"), 0)
    if odd:
        raise UsageError(
            f"the robot's token has {token[odd - 1]!r} at place {odd}; tokens are printable ASCII without spaces.",
            "The server prints it when it starts.",
        )

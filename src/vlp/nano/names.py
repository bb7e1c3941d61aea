"""The things that the embedded model knows, and the English words for them: whatever else is named, it cannot serve."""

from vlp.core.names import Names
from vlp.sim.worlds.tabletop.words import COLOURS

NAMES = Names(
    kinds={
        "cube": "cube, dice, die",
        "block": "block, brick",
        "ball": "ball, sphere, orb",
        "can": "can, tin",
        "bottle": "bottle, flask",
        "mug": "mug, cup, teacup",
        "bowl": "bowl, basin",
        "plate": "plate, dish, saucer",
        "tray": "tray, platter",
        "box": "box, crate",
    },
    colours={colour: colour for colour in COLOURS} | {"purple": "purple, violet"},
    places={
        "bin": "bin, trash can, trash bin, trashcan, rubbish bin, garbage can, garbage bin, waste bin, dustbin,"
        " wastebasket, trash, garbage, rubbish",
        "table": "table, table top, tabletop",
    },
    describing={
        "": "little small tiny big large wooden toy plastic",
        "block": "building",
        "ball": "rubber round bouncy",
        "can": "soda metal tin drinks beer",
        "bottle": "water drinking wine beer",
        "mug": "coffee tea drinking",
        "bowl": "soup salad mixing cereal fruit round",
        "plate": "dinner flat side",
        "tray": "serving flat tea",
        "box": "storage open",
    },
)

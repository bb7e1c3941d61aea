"""A home in words, for people."""

from vlp.sim.worlds.home.rooms import Rooms
from vlp.sim.worlds.home.scene import HomeScene
from vlp.sim.worlds.home.true_state import HomeTruth, place_of
from vlp.sim.worlds.seeds import split_of


def describe(scene: HomeScene, truth: HomeTruth | None = None) -> str:
    """Return one line for the seed, one for each thing and person, and one for what opens, shines and shows."""
    split = split_of(scene.seed)
    head = f"seed {scene.seed}{f', {split} split' if split else ''}: a living room and a kitchen"
    rows = [("object", "x m", "y m", "z m", "room", "rests")]
    for thing in scene.objects:
        now = truth.objects.get(thing.name) if truth else None
        if truth and now is None:
            rows.append((thing.name, "", "", "", "", "taken away"))
            continue
        x, y, z = now.position_in_world if now else thing.position_m
        relation, support = (now.relation, now.support) if now else (thing.relation, thing.support)
        rows.append((thing.name, f"{x:.2f}", f"{y:+.2f}", f"{z:.2f}", Rooms().room_of(x, y), f"{relation} {support}"))
    people = [("person", "pose", "gesture", "shirt", "holds", "where")]
    for person in scene.persons:
        now = truth.persons[person.name] if truth else None
        gesture, holds = (now.gesture, now.holds) if now else (person.gesture, person.holds)
        people.append((person.name, person.pose, gesture or "none", person.shirt, holds or "nothing", place_of(person)))
    return "\n".join([head, *_table(rows), "", *_table(people), "", _fixtures(scene, truth)])


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _fixtures(scene: HomeScene, truth: HomeTruth | None) -> str:
    f = scene.fixtures
    drawer, door = (truth.opened["drawer"], truth.opened["cabinet door"]) if truth else (f.drawer, f.door)
    lamp = truth.lamp_on if truth else f.lamp_on
    balls = {name: n for name, n in truth.balls.items() if n} if truth else {f.ball_cup: f.balls} if f.balls else {}
    where = ", ".join(f"{n} in {name}" for name, n in balls.items()) or "none"
    return (
        f"drawer {100 * drawer:.0f} % open, cabinet door {100 * door:.0f} % open, lamp {'on' if lamp else 'off'}, "
        f"gauge {f.needle:g}, display {f.digits:.1f}, sign {f.sign!r}; small balls: {where}"
    )

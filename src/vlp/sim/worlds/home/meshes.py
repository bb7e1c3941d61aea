"""Smooth shapes for the eye: turned profiles, boxes with round edges, flat panels; none of them takes contacts."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vlp.sim.opengl import mujoco

Array = NDArray[np.float64]


def add_lathe(spec: mujoco.MjSpec, name: str, profile: Sequence[tuple[float, float]], slices: int = 18) -> str:
    """Add the mesh of a profile turned about z, and return its name.

    Args:
        spec: the specification that takes it.
        name: of the mesh.
        profile: radius and height in metres, from the axis outwards so that the surface lies to its right: upwards on the
            outside, downwards on the inside. Corners sharper than 40 degrees stay sharp.
        slices: how many sides it has.

    Texture coordinates run around and from the lowest to the highest point.
    """
    points, normals = _creased(np.array(profile, dtype=np.float64))
    low, high = points[:, 1].min(), points[:, 1].max()
    angles = np.linspace(0, 2 * math.pi, slices + 1)
    turn = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rows = len(points)
    vertices = np.empty((slices + 1, rows, 3))
    directions, texture = np.empty_like(vertices), np.empty((slices + 1, rows, 2))
    for out, flat in ((vertices, points), (directions, normals)):
        out[:, :, :2] = turn[:, None, :] * flat[None, :, :1]
        out[:, :, 2] = flat[:, 1]
    texture[:, :, 0] = angles[:, None] / (2 * math.pi)
    texture[:, :, 1] = 1 - (points[:, 1] - low) / max(high - low, 1e-9)
    faces = []
    for i in range(slices):
        for j in range(rows - 1):
            a, b, c, d = i * rows + j, (i + 1) * rows + j, (i + 1) * rows + j + 1, i * rows + j + 1
            if np.linalg.norm(points[j + 1] - points[j]) < 1e-9:
                continue
            if points[j, 0] > 1e-9:
                faces.append((a, b, c))
            if points[j + 1, 0] > 1e-9:
                faces.append((a, c, d))
    return _add(spec, name, vertices, directions, np.array(faces), texture)


def add_capsule(spec: mujoco.MjSpec, radius: float, half: float, tip: float | None = None) -> str:
    """Return the mesh of a capsule along z, which all of its size share; a twentieth of the faces of MuJoCo's own.

    Args:
        spec: the specification that takes it.
        radius, half: in metres, as MuJoCo's.
        tip: radius of the upper end; None for one that does not taper.
    """
    end = radius if tip is None else tip
    name = f"capsule {radius:.4f} {half:.4f} {end:.4f}"
    if spec.mesh(name) is None:
        fine = radius > 0.015  # what is thinner than a finger is seen from afar only
        quarter = np.linspace(0, math.pi / 2, 4 if fine else 3)
        lower = [(radius * math.sin(a), -half - radius * math.cos(a)) for a in quarter]
        upper = [(end * math.cos(a), half + end * math.sin(a)) for a in quarter]
        add_lathe(spec, name, [*lower, *upper], 10 if fine else 6)
    return name


def add_ellipsoid(spec: mujoco.MjSpec, half: Sequence[float]) -> str:
    """Return the mesh of an ellipsoid, which all of its half axes share."""
    x, y, z = half
    name = f"ellipsoid {x:.4f} {y:.4f} {z:.4f}"
    if spec.mesh(name) is None:
        fine = max(half) > 0.03
        angles = np.linspace(-math.pi / 2, math.pi / 2, 8 if fine else 5)
        add_lathe(spec, name, [(math.cos(a), math.sin(a)) for a in angles], 14 if fine else 7)
        spec.mesh(name).scale = half
    return name


def _creased(profile: Array) -> tuple[Array, Array]:
    """Return profile points, doubled at sharp corners, and the normal at each."""
    edges = np.diff(profile, axis=0)
    across = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    points, normals = [profile[0]], [across[0]]
    for before, after, corner in zip(across[:-1], across[1:], profile[1:-1], strict=True):
        if before @ after > math.cos(math.radians(40)):
            points.append(corner)
            normals.append((before + after) / np.linalg.norm(before + after))
        else:
            points += [corner, corner]
            normals += [before, after]
    return np.array([*points, profile[-1]]), np.array([*normals, across[-1]])


def add_rounded_box(spec: mujoco.MjSpec, name: str, half: Sequence[float], radius: float, steps: int = 3) -> str:
    """Add the mesh of a box with round edges, and return its name; its texture lies on top and bottom.

    Args:
        spec: the specification that takes it.
        name: of the mesh.
        half: half extents in metres.
        radius: of the edges in metres.
        steps: how many faces an edge is bent over.
    """
    radius = min(radius, *half)
    core = np.array(half, dtype=np.float64) - radius
    quarter = np.linspace(0, math.pi / 2, steps + 1)
    around = np.concatenate([quarter + q * math.pi / 2 for q in range(4)])
    corner = np.repeat([(1, 1), (-1, 1), (-1, -1), (1, -1)], steps + 1, axis=0)
    up = np.concatenate([-math.pi / 2 + quarter, quarter])
    side = np.repeat([-1.0, 1.0], steps + 1)
    normals = np.empty((len(up), len(around), 3))
    normals[:, :, 0], normals[:, :, 1] = np.outer(np.cos(up), np.cos(around)), np.outer(np.cos(up), np.sin(around))
    normals[:, :, 2] = np.sin(up)[:, None]
    signs = np.empty_like(normals)
    signs[:, :, :2], signs[:, :, 2] = corner[None], side[:, None]
    vertices = signs * core + radius * normals
    columns, faces = len(around), []
    for j in range(len(up) - 1):
        for i in range(columns):
            a, b = j * columns + i, j * columns + (i + 1) % columns
            faces += [(a, b, b + columns), (a, b + columns, a + columns)]
    top = (len(up) - 1) * columns
    stride = steps + 1
    faces += [(top, top + stride, top + 2 * stride), (top, top + 2 * stride, top + 3 * stride)]
    faces += [(0, 2 * stride, stride), (0, 3 * stride, 2 * stride)]
    texture = (vertices[:, :, :2] / (2 * np.array(half)[:2])) + 0.5
    return _add(spec, name, vertices, normals, np.array(faces), texture)


def add_panel(spec: mujoco.MjSpec, name: str, half_width: float, half_height: float, repeat: float = 1.0) -> str:
    """Add a flat panel that is seen from its front alone, and return its name.

    It lies in x and y and faces z; its picture stands upright along y.

    Args:
        spec: the specification that takes it.
        name: of the mesh.
        half_width, half_height: in metres, along x and y.
        repeat: how often its texture stands side by side.
    """
    cells = 8
    across = np.linspace(-1, 1, cells + 1)
    grid = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
    vertices = np.column_stack([grid * (half_width, half_height), np.zeros(len(grid))])
    normals = np.tile([0.0, 0.0, 1.0], (len(grid), 1))
    texture = np.column_stack([(grid[:, 0] + 1) / 2, (1 - grid[:, 1]) / 2]) * repeat
    faces = []
    for j in range(cells):
        for i in range(cells):
            a = j * (cells + 1) + i
            faces += [(a, a + 1, a + cells + 2), (a, a + cells + 2, a + cells + 1)]
    return _add(spec, name, vertices, normals, np.array(faces), texture)


def _add(spec: mujoco.MjSpec, name: str, vertices: Array, normals: Array, faces: NDArray[np.int64], texture: Array) -> str:
    mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    mesh.uservert = vertices.reshape(-1).tolist()
    mesh.usernormal = normals.reshape(-1).tolist()
    mesh.usertexcoord = texture.reshape(-1).tolist()
    mesh.userface = faces.reshape(-1).astype(int).tolist()
    return name


def add_mesh_geom(body: mujoco.MjsBody, mesh: str, material: str, **options: object) -> mujoco.MjsGeom:
    """Give a body a mesh for the eye: without contacts or mass."""
    return body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=mesh,
        material=material,
        mass=0.0,
        contype=0,
        conaffinity=0,
        group=2,
        **options,
    )

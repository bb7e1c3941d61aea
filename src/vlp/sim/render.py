"""Pictures of a simulation: colour, depth with a sensor's faults, and which pixels belong to which object.

Nothing is rendered until somebody asks. One OpenGL context serves a whole process, from any thread, one picture at a
time: making a context takes longer than drawing several pictures.
"""

import atexit
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Box
from vlp.sim import opengl
from vlp.sim.opengl import mujoco

drawn: Counter[str] = Counter()
"""How many pictures this process has drawn: "image" and "bodies"."""
_LOCK = threading.RLock()
_STATE: dict[str, Any] = {}

Rgb = NDArray[np.uint8]
Depth = NDArray[np.float32]


class Camera:
    """One camera of a model, at one image size.

    Args:
        model: a compiled world; cameras of several models may take turns.
        name: a camera of the model: the one a robot observes with, or a world's for films.
        width, height: size of the image in pixels.

    Raises:
        MissingComponent: there is no OpenGL to draw with.
    """

    def __init__(self, model: mujoco.MjModel, name: str, width: int = 640, height: int = 480) -> None:
        self.model, self.name, self.width, self.height = model, name, width, height
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._scene: Any = None
        self._shot: Shot | None = None
        self._spare: list[Any] = []
        self._option = mujoco.MjvOption()
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = model.camera(name).id

    def rgb(self, data: mujoco.MjData, oversample: int = 1) -> Rgb:
        """Return (height, width, 3) uint8.

        Args:
            data: the state that is drawn.
            oversample: draws so many times as wide and high and takes means, for smooth edges in films and pictures.
        """
        if oversample == 1:
            return self._draw(self._shown(data), depth=False)[0]
        large = Camera(self.model, self.name, oversample * self.width, oversample * self.height)
        blocks = large.rgb(data).reshape(self.height, oversample, self.width, oversample, 3)
        return np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)

    def rgb_and_depth(self, data: mujoco.MjData) -> tuple[Rgb, Depth]:
        """Return the colour image and exact depth along the optical axis in metres, from one drawing."""
        return self._rgb_and_depth(self._shown(data))

    def shot(self, data: mujoco.MjData) -> "Shot":
        """Return what is to be seen now without drawing it: the same shot as before as long as nothing has moved."""
        looks = _looks(self.model, data)
        with _LOCK:
            if self._shot is None or self._shot.looks != looks:
                self._shot = None  # where nobody else holds it, its scene comes back
                scene = self._spare.pop() if self._spare else _scene(self.model)  # a new one takes a millisecond
                self._shot = Shot(self, self._update(data, scene), looks)
                weakref.finalize(self._shot, self._spare.append, scene)
            return self._shot

    def _rgb_and_depth(self, scene: mujoco.MjvScene) -> tuple[Rgb, Depth]:
        rgb, raw = self._draw(scene, depth=True)
        assert raw is not None
        extent = self.model.stat.extent
        near, far = self.model.vis.map.znear * extent, self.model.vis.map.zfar * extent
        # Reversed depth: 1 at the near plane, 0 at the far one.
        return rgb, (near * far / (near + raw.astype(np.float64) * (far - near))).astype(np.float32)

    def bodies(self, data: mujoco.MjData) -> NDArray[np.int32]:
        """Return (height, width) int32: the id of the body seen at each pixel, -1 where there is none."""
        return self._bodies(self._shown(data))

    def _bodies(self, scene: mujoco.MjvScene) -> NDArray[np.int32]:
        drawn["bodies"] += 1
        with _context(self.model) as context:
            scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
            mujoco.mjr_render(self._rect, scene, context)
            scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 0
            colours = np.empty((self.height, self.width, 3), np.uint8)
            mujoco.mjr_readPixels(colours, None, self._rect, context)
            body_of = np.full(scene.ngeom + 1, -1, np.int32)
            for shape in scene.geoms[: scene.ngeom]:
                if shape.segid >= 0 and shape.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                    body_of[shape.segid + 1] = self.model.geom_bodyid[shape.objid]
        ids = colours[::-1, :, 0].astype(np.int32) + (colours[::-1, :, 1].astype(np.int32) << 8)
        return body_of[np.minimum(ids, len(body_of) - 1)]

    def visible(
        self, data: mujoco.MjData, phrases: Sequence[str], bodies: NDArray[np.int32] | None = None
    ) -> dict[str, "Visible"]:
        """Return what is to be seen of each thing; those without a single pixel are left out.

        Args:
            data: the state that is drawn.
            phrases: names of the things.
            bodies: what `bodies` returned; None draws them.
        """
        ids = self.bodies(data) if bodies is None else bodies
        seen: dict[str, Visible] = {}
        for phrase in phrases:
            body = self.model.body(phrase).id
            box, pixels = extent(ids == body)
            if pixels:
                whole = outline_area_px(self.model, data, body, self.name, ids.shape[0])
                seen[phrase] = Visible(box, pixels, min(1.0, pixels / max(whole, 1.0)))
        return seen

    def _draw(self, scene: mujoco.MjvScene, *, depth: bool) -> tuple[Rgb, Depth | None]:
        drawn["image"] += 1
        with _context(self.model) as context:
            mujoco.mjr_render(self._rect, scene, context)
            rgb = np.empty((self.height, self.width, 3), np.uint8)
            raw = np.empty((self.height, self.width), np.float32) if depth else None
            mujoco.mjr_readPixels(rgb, raw, self._rect, context)
        return np.ascontiguousarray(rgb[::-1]), None if raw is None else raw[::-1]

    def _shown(self, data: mujoco.MjData) -> mujoco.MjvScene:
        self._scene = self._scene or _scene(self.model)
        return self._update(data, self._scene)

    def _update(self, data: mujoco.MjData, scene: mujoco.MjvScene) -> mujoco.MjvScene:
        mujoco.mjv_updateScene(self.model, data, self._option, None, self._view, int(mujoco.mjtCatBit.mjCAT_ALL), scene)
        return scene


class Shot:
    """One moment before a camera: drawn when somebody first asks for a picture, also after the world has gone on.

    Taking a moment down costs 0.01 ms, drawing it in software 45 ms. The pictures are read-only, since readers share them.

    Args:
        camera: draws it.
        scene: what stands before the camera.
        looks: tells whether anything has moved.
    """

    def __init__(self, camera: Camera, scene: mujoco.MjvScene, looks: bytes) -> None:
        self._camera, self._scene, self.looks = camera, scene, looks

    @cached_property
    def rgb_and_depth(self) -> tuple[Rgb, Depth]:
        """The colour image and exact depth in metres."""
        rgb, depth_m = self._camera._rgb_and_depth(self._scene)
        return frozen(rgb), frozen(depth_m)

    @cached_property
    def bodies(self) -> NDArray[np.int32]:
        """The id of the body seen at each pixel, -1 where there is none."""
        return frozen(self._camera._bodies(self._scene))


def frozen(array: Any) -> Any:
    """Return an array that can no longer be written."""
    array.flags.writeable = False
    return array


def _scene(model: mujoco.MjModel) -> mujoco.MjvScene:
    scene = mujoco.MjvScene(model, maxgeom=1000)
    scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
    return scene


def _looks(model: mujoco.MjModel, data: mujoco.MjData) -> bytes:
    """Return all that a picture follows from: where things, lights and cameras are, how wide these see, and the colours."""
    places = (data.geom_xpos, data.geom_xmat, data.site_xpos, data.site_xmat, data.cam_xpos, data.cam_xmat)
    lights = (data.light_xpos, data.light_xdir, model.light_diffuse)
    return b"".join(a.tobytes() for a in (*places, *lights, model.cam_fovy, model.geom_rgba, model.mat_emission))


@contextmanager
def _context(model: mujoco.MjModel) -> Iterator[mujoco.MjrContext]:
    """Make this process's drawing context current in this thread, holding the model's textures."""
    with _LOCK:
        window = _window()
        window.make_current()
        try:
            yield _drawing_context(model)
        finally:
            _release()


def _window() -> Any:
    if "window" not in _STATE:
        opengl.check_drawing()
        try:
            _STATE["window"] = _way_to_draw()(64, 64)
        except Exception as error:
            raise opengl.cannot_draw(error) from None
        atexit.register(_close)
    return _STATE["window"]


def _way_to_draw() -> Any:
    """Return what MUJOCO_GL names, else EGL, which needs no display; where there is none, what MuJoCo takes by itself."""
    if opengl.wanted() in ("", "egl"):
        try:
            from mujoco.egl import GLContext

            return GLContext
        except Exception:
            if opengl.wanted() or not opengl.has_display():
                raise
    from mujoco import GLContext

    return GLContext


def _release() -> None:
    """Let go of the context, so that another thread may take it."""
    if not _STATE["window"].__class__.__module__.startswith("mujoco.egl"):
        return
    try:
        from mujoco.egl import EGL, EGL_DISPLAY
    except Exception:
        return
    EGL.eglMakeCurrent(EGL_DISPLAY, EGL.EGL_NO_SURFACE, EGL.EGL_NO_SURFACE, EGL.EGL_NO_CONTEXT)


def _drawing_context(model: mujoco.MjModel) -> mujoco.MjrContext:
    """Return a context that fits the model; models alike in textures, meshes and quality share one, textures re-uploaded."""
    quality, size = model.vis.quality, model.vis.global_
    key = (
        size.offwidth, size.offheight, quality.offsamples, quality.shadowsize, quality.numslices, quality.numstacks,
        model.ntex, tuple(model.tex_width), tuple(model.tex_height), model.nhfield, model.nskin,
        hash(model.mesh_vert.tobytes()), hash(model.mesh_face.tobytes()), hash(model.mesh_texcoord.tobytes()),
    )  # fmt: skip
    contexts = _STATE.setdefault("contexts", {})
    has_shapes = model.nhfield + model.nskin > 0
    if key not in contexts or (has_shapes and contexts[key][1] is not model):
        while len(contexts) >= 4:  # worlds of many meshes need one for each scene
            contexts.pop(next(iter(contexts)))[0].free()
        context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        contexts[key] = (context, model)
    context, owner = contexts[key]
    if owner is not model:
        for i in range(model.ntex):
            mujoco.mjr_uploadTexture(model, context, i)
        contexts[key] = (context, model)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)  # another context's may be bound
    return context


def _close() -> None:
    with _LOCK:
        window = _STATE.get("window")
        if window is not None:
            window.make_current()
            for context, _ in _STATE.get("contexts", {}).values():
                context.free()
            _STATE.clear()
            window.free()


def noisy_depth(depth_m: Depth, rng: np.random.Generator) -> Depth:
    """Return depth as a structured-light sensor gives it: noise that grows with the square of distance, holes at edges,
    speckles without return; 0 where there is no return.

    Args:
        depth_m: exact depth in metres.
        rng: decides noise and holes.
    """
    sigma = 0.0010 + 0.0020 * np.square(np.maximum(depth_m - 0.4, 0.0))
    noisy = depth_m + sigma * rng.standard_normal(depth_m.shape, dtype=np.float32)
    step = np.zeros(depth_m.shape, np.float32)
    across, down = np.abs(np.diff(depth_m, axis=1)), np.abs(np.diff(depth_m, axis=0))
    for view, jump in ((step[:, 1:], across), (step[:, :-1], across), (step[1:], down), (step[:-1], down)):
        np.maximum(view, jump, out=view)
    chance = rng.random(depth_m.shape, dtype=np.float32)
    lost = (chance < 0.002) | ((step > 0.02) & (chance < 0.6))
    lost |= (depth_m < 0.25) | (depth_m > 6.0)  # out of the sensor's range
    return np.where(lost, 0.0, noisy).astype(np.float32)


@dataclass(frozen=True)
class Visible:
    """How much of an object a picture shows: its tight box, its pixels, and the share of its outline they make up."""

    box: Box
    pixels: int
    fraction: float


def extent(mask: NDArray[np.bool_]) -> tuple[Box, int]:
    """Return the tight box around the pixels of a mask, and how many there are; a box without extent where there is none."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return (0.0, 0.0, 0.0, 0.0), 0
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return box, int(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].sum())


def boxes_of(
    model: mujoco.MjModel, bodies: NDArray[np.int32], named: Mapping[str, Sequence[str]]
) -> dict[str, tuple[Box, int]]:
    """Return the tight box of everything that shows, and its pixels.

    Args:
        model: whose bodies they are.
        bodies: what `Camera.bodies` returned.
        named: names of what is looked for, with the bodies that show it.
    """
    found = {name: extent(np.isin(bodies, [model.body(body).id for body in own])) for name, own in named.items()}
    return {name: shown for name, shown in found.items() if shown[1]}


def outline_points(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> NDArray[np.float64]:
    """Return points (n, 3) in the world frame whose convex hull is the body's."""
    points = []
    for geom in range(model.body_geomadr[body], model.body_geomadr[body] + model.body_geomnum[body]):
        kind, (sx, sy, sz) = mujoco.mjtGeom(int(model.geom_type[geom])), model.geom_size[geom]
        if kind == mujoco.mjtGeom.mjGEOM_BOX:
            local = _corner_points() * np.array([sx, sy, sz])
        elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
            local = _drum_points() * np.array([sx, sx, sy])
        elif kind == mujoco.mjtGeom.mjGEOM_SPHERE:
            local = _ball_points() * np.array([sx, sx, sx])
        elif kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
            ends = np.sign(_ball_points()) * np.array([0, 0, sy])
            local = _ball_points() * np.array([sx, sx, sx]) + ends
        elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            local = _ball_points() * np.array([sx, sy, sz])
        elif kind == mujoco.mjtGeom.mjGEOM_MESH:
            mesh = model.geom_dataid[geom]
            first = model.mesh_vertadr[mesh]
            local = model.mesh_vert[first : first + model.mesh_vertnum[mesh]].astype(np.float64)
        else:
            raise ValueError(f"a {kind.name} has no outline here.")
        points.append(local @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom])
    return np.concatenate(points)


def outline_area_px(model: mujoco.MjModel, data: mujoco.MjData, body: int, camera: str, height_px: int) -> float:
    """Return how many pixels a body would cover if nothing hid it, as the area of its projected convex hull."""
    from scipy.spatial import ConvexHull

    view = data.camera(camera)
    local = (outline_points(model, data, body) - view.xpos) @ view.xmat.reshape(3, 3)
    depth = np.maximum(-local[:, 2], 0.05)
    focal = height_px / 2 / np.tan(np.radians(model.camera(camera).fovy[0]) / 2)
    return float(ConvexHull(focal * local[:, :2] / depth[:, None]).volume)


@cache
def _ball_points() -> NDArray[np.float64]:
    golden = np.pi * (3 - 5**0.5)
    i = np.arange(48)
    z = 1 - 2 * (i + 0.5) / 48
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(golden * i), r * np.sin(golden * i), z], axis=1)


@cache
def _drum_points() -> NDArray[np.float64]:
    a = np.arange(16) * np.pi / 8
    rim = np.stack([np.cos(a), np.sin(a), np.ones(16)], axis=1)
    return np.vstack([rim, rim * [1, 1, -1]])


@cache
def _corner_points() -> NDArray[np.float64]:
    return np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)

"""From an observation to points: every pixel in the world frame, levelled on the table it shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlp.core.observation import Array, Observation


@dataclass(frozen=True)
class Cloud:
    """Every pixel of an observation as a point.

    Args:
        height_m: (h, w) above the support; nan where there is no depth.
        valid: (h, w) where there is depth.
        rays: (h, w, 3) viewing directions in the world frame, one metre long along the optical axis.
        eye: the camera's place in the world frame.
        support_z_m: height of the support above the floor.
        depth_m: (h, w) along the optical axis, 0 without return.
    """

    height_m: NDArray[np.float64]
    valid: NDArray[np.bool_]
    rays: NDArray[np.float64]
    eye: NDArray[np.float64]
    support_z_m: float
    depth_m: NDArray[np.float64]

    def points(self, mask: NDArray[np.bool_]) -> Array:
        """Return the points (n, 3) of the mask's pixels that have depth, in the world frame."""
        chosen = mask & self.valid
        return self.eye + self.rays[chosen] * self.depth_m[chosen][:, None]

    def on_plane(self, mask: NDArray[np.bool_], z_m: float) -> Array:
        """Return where the rays of the mask's pixels meet the level plane at `z_m`, as (n, 2): free of depth noise."""
        rays = self.rays[mask]
        return (self.eye + rays * ((z_m - self.eye[2]) / rays[:, 2])[:, None])[:, :2]


def cloud(observation: Observation) -> Cloud:
    """Return the points of an observation.

    The table is level, so a tilt of the plane that is seen is an error of the believed camera pose: it is taken out by
    turning the camera about its centre. Heading cannot be corrected this way.
    """
    depth_m, k, camera_in_base = observation.geometry()
    camera, depth = base_pose(observation.state.base_in_world) @ camera_in_base, depth_m.astype(np.float64)
    u, v = np.meshgrid(np.arange(k.width) + 0.5, np.arange(k.height) + 0.5)
    in_camera = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones_like(u)], axis=-1)
    valid = np.isfinite(depth) & (depth > 0.05) & (depth < 10.0)
    depth = np.where(valid, depth, 0.0)
    eye, turn = camera[:3, 3], camera[:3, :3]
    few = (slice(None, None, 3), slice(None, None, 3))
    plane = support_plane(eye + (in_camera[few] @ turn.T * depth[few][..., None])[valid[few]])
    if plane is None:
        normal, support_z = np.array([0.0, 0.0, 1.0]), 0.0
    else:
        normal = np.array([-plane[0], -plane[1], 1.0])
        normal /= np.linalg.norm(normal)
        if np.arccos(normal[2]) > 0.06:  # steeper than a table: the camera pose is left as believed
            normal = np.array([0.0, 0.0, 1.0])
        distance = (eye[2] - plane @ np.array([eye[0], eye[1], 1.0])) * normal[2]
        support_z = float(eye[2] - distance)
        turn = _turn_onto_z(normal) @ turn
    rays = in_camera @ turn.T
    height = np.where(valid, eye[2] + rays[..., 2] * depth - support_z, np.nan)
    return Cloud(height, valid, rays, eye, support_z, depth)


def base_pose(base_in_world: tuple[float, float, float]) -> Array:
    """Return the 4x4 pose of the base in the world for x, y in metres and yaw in radians."""
    x, y, yaw = base_in_world
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:2, 3] = x, y
    return pose


def support_plane(points: Array) -> Array | None:
    """Return (a, b, c) of the widest level plane z = a x + b y + c above the floor, None when there is none."""
    high = points[points[:, 2] > 0.2]  # what is lower is the floor or a bin's bottom
    if len(high) < 200:
        return None
    bin_m = 0.005
    counts = np.bincount((high[:, 2] / bin_m).astype(int))
    z = (np.convolve(counts, [1, 1, 1], "same").argmax() + 0.5) * bin_m
    plane = np.array([0.0, 0.0, z])
    for tolerance in (0.03, 0.015, 0.01, 0.008):
        rows = np.column_stack([high[:, 0], high[:, 1], np.ones(len(high))])
        near = np.abs(high[:, 2] - rows @ plane) < tolerance
        if near.sum() < 200:
            return None
        plane = np.asarray(np.linalg.lstsq(rows[near], high[near, 2], rcond=None)[0], dtype=np.float64)
    return plane


def _turn_onto_z(normal: Array) -> Array:
    """Return the smallest rotation that turns a unit vector onto +z."""
    axis = np.cross(normal, [0.0, 0.0, 1.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + normal[2])

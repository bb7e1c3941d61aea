"""Poses of a body's links by the published facts alone, written without the code under test."""

import numpy as np


def rotation(axis, angle):
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def pose(r, p):
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = r, p
    return out


def forward_kinematics(facts, root, q):
    """Return the 4x4 pose in the root link of every link at joint positions q; those left out are 0."""
    links, waiting = {root: np.eye(4)}, list(facts["joints"])
    while waiting:
        joint = waiting.pop(0)
        if joint["parent"] not in links:
            waiting.append(joint)
            continue
        roll, pitch, yaw = joint["origin_rpy_rad"]
        fixed = rotation([0, 0, 1], yaw) @ rotation([0, 1, 0], pitch) @ rotation([1, 0, 0], roll)
        link = links[joint["parent"]] @ pose(fixed, joint["origin_xyz_m"])
        value = q.get(joint["name"], 0.0)
        if joint["type"] == "prismatic":
            link = link @ pose(np.eye(3), np.asarray(joint["axis"]) * value)
        elif joint["type"] != "fixed":
            link = link @ pose(rotation(joint["axis"], value), [0, 0, 0])
        links[joint["child"]] = link
    return links

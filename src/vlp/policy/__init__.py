"""The policy language: parse, check, compare and convert the documents that a model writes."""

from vlp.policy.checks import CHECKS, Check, Context, check_policy
from vlp.policy.diff import PolicyDiff, diff
from vlp.policy.model import Plan, PlanStep, Policy, PolicyStep, Subtask, compact, say
from vlp.policy.parse import parse_policy
from vlp.policy.situation import State
from vlp.policy.tree import tree_lines

__all__ = [
    "CHECKS",
    "Check",
    "Context",
    "Plan",
    "PlanStep",
    "Policy",
    "PolicyDiff",
    "PolicyStep",
    "State",
    "Subtask",
    "check_policy",
    "compact",
    "diff",
    "parse_policy",
    "say",
    "tree_lines",
]

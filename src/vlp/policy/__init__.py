"""The policy language: parse, check, compare and convert the documents that a model writes."""

from vlp.policy.checks import CHECKS, Check, Context, State, check_policy
from vlp.policy.diff import PolicyDiff, diff
from vlp.policy.model import Plan, PlanStep, Policy, PolicyStep, Subtask, compact, say, tree_lines
from vlp.policy.parse import parse_policy

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

"""The policy language: parse, check, compare and convert the documents that a model writes."""

from vlp.policy.model import Plan, PlanStep, Policy, PolicyStep, Subtask, compact
from vlp.policy.parse import parse_policy

__all__ = ["Plan", "PlanStep", "Policy", "PolicyStep", "Subtask", "compact", "parse_policy"]

"""A policy as BehaviorTree.CPP version 4 XML: a Sequence of Sequences, one action node per step, data through ports."""

from xml.sax.saxutils import quoteattr

from vlp.policy.convert.names import reference, spelled
from vlp.policy.model import Policy, PolicyStep


def to_btxml(policy: Policy) -> str:
    """Return an XML document with the tree and, for editors, the model of every node used in it."""
    body = _goal(policy)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<root BTCPP_format="4" main_tree_to_execute="Policy">']
    lines += ['  <BehaviorTree ID="Policy">', *(f"    {line}" for line in body), "  </BehaviorTree>"]
    return "\n".join([*lines, *_models(policy), "</root>"]) + "\n"


def _goal(policy: Policy) -> list[str]:
    if policy.cannot:
        return [f"<AlwaysFailure name={_attribute(policy.cannot)}/>"]
    if not policy.steps:  # a Sequence without children is refused
        return [f"<AlwaysSuccess name={_attribute(policy.goal)}/>"]
    lines = [f"<Sequence name={_attribute(policy.goal)}>"]
    for i, subtask in enumerate(policy.subtasks, 1):
        if not subtask.steps:
            continue
        lines.append(f"  <Sequence name={_attribute(subtask.name)}>")
        lines += [f"    {_node(f'{i}-{j}', step)}" for j, step in enumerate(subtask.steps, 1)]
        lines.append("  </Sequence>")
    return [*lines, "</Sequence>"]


def _node(step_id: str, step: PolicyStep) -> str:
    ports = [f"{_port(name)}={_value(value)}" for name, value in step.arguments.items()]
    result = [f'result="{{{spelled(step.as_)}}}"'] if step.as_ else []
    inside = " ".join([_node_id(step.do), f'name="{step_id}"', *ports, *result])
    return f"<{inside}/>"


def _models(policy: Policy) -> list[str]:
    """Return the TreeNodesModel: ports of every kind of node, as used in this policy."""
    used: dict[str, dict[str, str]] = {}
    for step in policy.steps:
        ports = used.setdefault(_node_id(step.do), {})
        ports |= {_port(name): "input_port" for name in step.arguments}
        ports |= {"result": "output_port"} if step.as_ else {}
    if not used:
        return []
    lines = ["  <TreeNodesModel>"]
    for node, ports in used.items():
        lines.append(f'    <Action ID="{node}">')
        lines += [f'      <{kind} name="{port}"/>' for port, kind in ports.items()]
        lines.append("    </Action>")
    return [*lines, "  </TreeNodesModel>"]


def _node_id(do: str) -> str:
    return "".join(word.capitalize() for word in spelled(do).split("_"))


def _port(name: str) -> str:
    # BehaviorTree.CPP reads `name` and `ID` itself, and `result` is the port of what a step gives back.
    return spelled(name) + ("_" if name in ("name", "ID", "result") else "")


def _value(value: object) -> str:
    name = reference(value)
    return f'"{{{name}}}"' if name else _attribute(str(value))


def _attribute(text: str) -> str:
    """Return a quoted attribute; braces, which would make a text a blackboard entry, become parentheses."""
    allowed = "".join(c if c.isprintable() else " " for c in text)
    return quoteattr(allowed.replace("{", "(").replace("}", ")"))

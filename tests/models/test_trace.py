"""Tokens with log-probabilities are those of the reply, and the same whether an adapter is merged or not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vlp.core.messages import user
from vlp.models.folder import check_folder
from vlp.models.loading import load_model
from vlp.models.protocol import TOP
from vlp.models.transformers_model import TransformersModel

ASK = [user(np.full((60, 80, 3), 90, np.uint8), "put the red cube in it")]


def test_a_trace_is_the_reply_with_its_log_probabilities(toy: TransformersModel):
    trace, reply = toy.trace(ASK, max_tokens=40), toy.generate(ASK, max_tokens=40)
    written = trace.tokens[:-1] if trace.ended else trace.tokens
    assert toy.chat.tokenizer.decode(list(written), skip_special_tokens=True) == reply.text
    assert trace.prompt_tokens == reply.tokens["prompt"] and trace.ended == (reply.finish == "stop")
    for token, tops in zip(trace.tokens, trace.tops, strict=True):
        assert len(tops) == TOP and max(tops, key=lambda each: tops[each]) == token
        assert sum(np.exp(list(tops.values()))) <= 1 + 1e-9


@pytest.mark.parametrize("merged", [True, False])
def test_an_adapter_counts_merged_or_beside_the_weights(toy_folder: Path, toy: TransformersModel, tmp_path: Path, merged: bool):
    from vlp.training import lora

    base = load_model(check_folder(toy_folder), None, torch.device("cpu"), torch.float32)
    adapted = lora.attach(base, "vision+decoder")
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05)
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    model = TransformersModel(toy_folder, tmp_path / "adapter", device="cpu", merged=merged)
    beside = sum("lora_" in name for name, _ in model.model.named_parameters())
    assert (beside == 0) == merged
    assert model.trace(ASK, max_tokens=8).tops[0] != toy.trace(ASK, max_tokens=8).tops[0]

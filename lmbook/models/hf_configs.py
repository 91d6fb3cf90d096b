"""The config.json of Hugging Face's GPT-2, Llama and Qwen3, read and written."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from lmbook.errors import InputError
from lmbook.models.gpt_config import GPTConfig
from lmbook.models.rotary import Llama3Scaling
from lmbook.text.tokenizer_base import refuse_unless

ARCHITECTURES = {
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def config_of(content: Mapping[str, Any]) -> GPTConfig:
    """The configuration in a config.json.

    ``InputError`` names the first field that is missing or asks for what is not
    implemented: a wrong result is worse than none.
    """
    model_type = content.get("model_type")
    if model_type not in list(ARCHITECTURES):
        raise InputError(
            f"model_type is {model_type!r}; accepted: {', '.join(ARCHITECTURES)}"
        )
    if content.get("quantization_config"):
        raise InputError(
            "the weights are quantised (field 'quantization_config'), which is not "
            "implemented; accepted: float16, bfloat16, float32 and float64"
        )
    return _of_gpt2(content) if model_type == "gpt2" else _of_llama(content)


def content_of(config: GPTConfig) -> dict[str, Any]:
    """The config.json of a model with these choices.

    The first layout that gives the same configuration back is taken (``dropout``
    apart, which Llama and Qwen3 have not).  ``InputError`` where none does.
    """
    reasons = []
    for model_type, architecture in ARCHITECTURES.items():
        content = _as_gpt2(config) if model_type == "gpt2" else _as_llama(config)
        content |= {"model_type": model_type, "architectures": [architecture]}
        try:
            back = replace(config_of(content), dropout=config.dropout)
        except InputError as error:
            reasons.append(f"{model_type}: {error}")
            continue
        if back == config:
            return content
        names = [f.name for f in fields(config)]
        other = [n for n in names if getattr(back, n) != getattr(config, n)]
        reasons.append(f"{model_type} has another {', '.join(other)}")
    raise InputError(f"no layout has this model's choices: {'; '.join(reasons)}")


def _of_gpt2(content: Mapping[str, Any]) -> GPTConfig:
    refuse_unless(
        {
            "activation_function": ("gelu_new", "gelu_pytorch_tanh", None),
            "scale_attn_weights": (True, None),
            "scale_attn_by_inverse_layer_idx": (False, None),
            "add_cross_attention": (False, None),
        },
        content,
    )
    return GPTConfig(
        vocab_size=_size(content, "vocab_size"),
        context_length=_size(content, "n_positions"),
        hidden_size=_size(content, "n_embd"),
        num_layers=_size(content, "n_layer"),
        num_heads=_size(content, "n_head"),
        feed_forward_size=_size(content, "n_inner", 0),
        norm_eps=_number(content, "layer_norm_epsilon", 1e-5),
        tied=_flag(content, "tie_word_embeddings", True),
        dropout=_number(content, "resid_pdrop", 0.1),
        init_std=_number(content, "initializer_range", 0.02),
    )


def _as_gpt2(config: GPTConfig) -> dict[str, Any]:
    dropouts = ("resid_pdrop", "embd_pdrop", "attn_pdrop")
    return {
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_embd": config.hidden_size,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": config.feed_forward_size,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": config.norm_eps,
        "tie_word_embeddings": config.tied,
        **dict.fromkeys(dropouts, config.dropout),
        "initializer_range": config.init_std,
        **dict.fromkeys(["bos_token_id", "eos_token_id"]),
    }


def _of_llama(content: Mapping[str, Any]) -> GPTConfig:
    """Of Llama, and of Qwen3, which has QK norm and no bias in its feed-forward."""
    is_qwen = content["model_type"] == "qwen3"
    bias = _flag(content, "attention_bias", False)
    refuse_unless(
        {
            "hidden_act": ("silu", None),
            "use_sliding_window": (False, None),
            "attention_bias": (False, None) if is_qwen else (bias, None),
            "mlp_bias": (bias,) if bias else (False, None),
        },
        content,
    )
    kinds = content.get("layer_types") or []
    if not isinstance(kinds, list):
        raise InputError(f"field 'layer_types' must be a list, got {kinds!r}")
    if other := [kind for kind in kinds if kind != "full_attention"]:
        raise InputError(
            f"field 'layer_types' must be 'full_attention' alone, got {other[0]!r}"
        )
    hidden = _size(content, "hidden_size")
    heads = _size(content, "num_attention_heads")
    if not is_qwen and (heads < 1 or hidden % heads):
        raise InputError(
            "num_attention_heads of a llama must divide hidden_size, "
            f"got {heads} and {hidden}"
        )
    theta, scaling = _rotary(content)
    return GPTConfig(
        vocab_size=_size(content, "vocab_size"),
        context_length=_size(content, "max_position_embeddings"),
        hidden_size=hidden,
        num_layers=_size(content, "num_hidden_layers"),
        num_heads=heads,
        num_kv_heads=_size(content, "num_key_value_heads", heads),
        head_dim=_size(content, "head_dim", 128 if is_qwen else hidden // heads),
        feed_forward_size=_size(content, "intermediate_size"),
        position="rotary",
        rotary_theta=theta,
        rotary_scaling=scaling,
        norm="rmsnorm",
        norm_eps=_number(content, "rms_norm_eps", 1e-6),
        feed_forward="swiglu",
        qk_norm=is_qwen,
        bias=bias,
        tied=_flag(content, "tie_word_embeddings", False),
        init_std=_number(content, "initializer_range", 0.02),
    )


def _as_llama(config: GPTConfig) -> dict[str, Any]:
    rope: dict[str, Any] = {"rope_type": "default"}
    if (scaling := config.rotary_scaling) is not None:
        rope = {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_context_length,
        }
    return {
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.feed_forward_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        # As transformers 5 has it, and as 4 did.
        "rope_parameters": {"rope_theta": config.rotary_theta, **rope},
        "rope_theta": config.rotary_theta,
        "rope_scaling": rope if scaling is not None else None,
        "attention_bias": config.bias,
        "mlp_bias": config.bias,
        "tie_word_embeddings": config.tied,
        "initializer_range": config.init_std,
        **dict.fromkeys(["bos_token_id", "eos_token_id"]),
    }


def _rotary(content: Mapping[str, Any]) -> tuple[float, Llama3Scaling | None]:
    """Base and scaling, from "rope_scaling" where it is set, as ``transformers`` does,
    or from "rope_parameters"."""
    rope = content.get("rope_scaling") or content.get("rope_parameters") or {}
    if not isinstance(rope, dict):
        raise InputError(f"rope_parameters must be an object, got {rope!r}")
    theta = _number({**content, **rope}, "rope_theta", 10_000.0)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "llama3") or rope.get("partial_rotary_factor", 1) != 1:
        raise InputError(
            f"rope_type {kind!r} with {rope} is not implemented; accepted: "
            "'default', 'llama3', without a partial_rotary_factor"
        )
    if kind == "default":
        return theta, None
    scaling = Llama3Scaling(
        _number(rope, "factor"),
        _number(rope, "low_freq_factor"),
        _number(rope, "high_freq_factor"),
        _size(rope, "original_max_position_embeddings"),
    )
    return theta, scaling


def _number(
    content: Mapping[str, Any], name: str, default: float | None = None
) -> float:
    value = content.get(name)
    value = default if value is None else value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InputError(f"field {name!r} must be a number, got {value!r}")
    return value


def _size(content: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = _number(content, name, default)
    if not isinstance(value, int):
        raise InputError(f"field {name!r} must be a whole number, got {value!r}")
    return value


def _flag(content: Mapping[str, Any], name: str, default: bool) -> bool:
    value = content.get(name)
    if value not in (True, False, None):
        raise InputError(f"field {name!r} must be true or false, got {value!r}")
    return default if value is None else bool(value)

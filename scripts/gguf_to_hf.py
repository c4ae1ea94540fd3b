"""Turns a GGUF file into a Hugging Face model folder, which is the form vLLM serves. Run by real_parts.sh in vLLM's environment.

python gguf_to_hf.py MODEL.gguf FOLDER
"""

import sys
from pathlib import Path

import torch  # type: ignore[import-not-found, unused-ignore]
from transformers import (  # type: ignore[import-not-found, unused-ignore]
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
)


def convert(source: Path, target: Path) -> None:
    """Writes tokenizer and weights (bfloat16) of the model in `source` into the folder `target`."""
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(target)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    # The weights are plain numbers now, but the model still says it is quantized, and would be saved as such.
    model.hf_quantizer = None
    model.is_quantized = False
    model.config.__dict__.pop("quantization_config", None)
    model.save_pretrained(target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))

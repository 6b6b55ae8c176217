"""Options by the names that other toolkits use for them: on the command line and in Python."""

from __future__ import annotations

from collections.abc import Collection

from seq2see.errors import did_you_mean

USUAL_OPTIONS = {
    "out": "save_dir output_dir save_model model_dir output",
    "output": "tgt out output_file trg",
    "input": "src in file input_file",
    "beam": "beam_size num_beams beams",
    "beam_groups": "num_beam_groups diverse_beam_groups",
    "diversity": "diversity_penalty diverse_beam_strength",
    "n_best": "nbest num_return_sequences",
    "count": "num_samples n num_return_sequences",
    "length_penalty": "lenpen alpha",
    "sample": "do_sample sampling random_sampling",
    "top_k": "sampling_topk random_sampling_topk",
    "top_p": "sampling_topp random_sampling_topp",
    "max_length": "max_len max_len_b max_new_tokens max_output_length",
    "min_length": "min_len min_new_tokens min_output_length",
    "no_repeat": "no_repeat_ngram_size block_ngram_repeat",
    "alignments": "report_align print_alignment align",
    "batch_size": "batch bsz",
    "device": "gpu gpus gpu_ids use_gpu",
    "metrics": "metric",
    "data": "train train_file",
    "test": "test_file eval_file",
    "weights": "precision dtype quantize",
    "force": "overwrite overwrite_output_dir",
    "resume": "resume_from_checkpoint continue",
    "set": "override",
    "delimiter": "sep separator field_separator",
    "source": "columns cols source_column src_column",
    "target": "columns cols target_column tgt_column",
    "also_source": "also monolingual",
    "also_target": "also monolingual",
}
"""By our name: what Hugging Face, fairseq, OpenNMT, Eole and JoeyNMT call the same."""


def is_called(option: str, name: str) -> bool:
    """Whether other toolkits call our option so."""
    return name in USUAL_OPTIONS.get(option, "").split()


def name_here(name: str, known: Collection[str]) -> str:
    """What to give instead of an unknown option: the known one that other toolkits call so, or the nearest."""
    ours = next((option for option in known if is_called(option, name.lower())), None)
    return did_you_mean(name, known) if ours is None else f"it is called {ours} here"

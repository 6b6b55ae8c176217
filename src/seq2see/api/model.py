"""A trained model in the Python API: loaded, asked, evaluated, shipped. Nothing here imports PyTorch by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, Unpack

from seq2see.data.given import PairData, Source, paths_or_pairs
from seq2see.data.options import TableOptions
from seq2see.errors import ConfigError
from seq2see.evaluation.options import EvaluationArguments, EvaluationOptions
from seq2see.inference.aligning import align as align_pairs
from seq2see.inference.checking import hints_of, require_known, require_types, with_options
from seq2see.inference.loading import as_paths
from seq2see.inference.loading import load as load_as
from seq2see.inference.options import BatchOptions, EngineName, GenerationArguments, GenerationOptions
from seq2see.inference.pair_files import pairs_for, read_for
from seq2see.inference.predictor import Predictor

if TYPE_CHECKING:  # a program that only predicts loads neither metrics nor pictures
    from seq2see.data import Pair
    from seq2see.evaluation import EvaluationReport
    from seq2see.export import ExportedModel
    from seq2see.inference.results import PairScore, Prediction
    from seq2see.packing import PackedModel
    from seq2see.pictures.attention import Attention

Paths: TypeAlias = str | Path | Sequence[str | Path]
DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]


class Model(Predictor):
    """A trained model, as `train` and `load` return it: it predicts, scores, evaluates, shows its attention, and packs.

    `predict` and `stream` take the fields of `GenerationOptions` as keyword arguments; `score`, `loss` and `evaluate`
    take what `train` takes. Arguments are checked before anything is computed.
    """

    def score(
        self,
        pairs: PairData,
        *,
        batch_size: int = 64,
        max_input_length: int | None = None,
        strict: bool = False,
    ) -> list[PairScore]:
        """The log-probability of each target, in nats, in the order of the pairs; see `Predictor.score`."""
        own = self._pairs(pairs)
        return super().score(own, batch_size=batch_size, max_input_length=max_input_length, strict=strict)

    def loss(self, pairs: PairData, *, batch_size: int = 64) -> float:
        """The loss in nats per target token, EOS counted, with teacher forcing."""
        return super().loss(self._pairs(pairs), batch_size=batch_size)

    @with_options(TableOptions, EvaluationArguments)
    @with_options(EvaluationOptions, EvaluationArguments)
    def evaluate(self, pairs: PairData, **options: Unpack[EvaluationArguments]) -> EvaluationReport:
        """The metrics of `seq2see evaluate` on pairs with known targets, with 95 % intervals.

        The keyword arguments are the fields of `EvaluationOptions`, and of `TableOptions` for a file: by default the
        columns are read that the model was trained on. Pairs with the same source are one item with several references,
        unless `group=False`. Raises DataError without pairs, ConfigError for invalid options.
        """
        from seq2see.evaluation import evaluate as evaluate_predictor
        from seq2see.evaluation.scoring import require_known_targets

        own = {name: value for name, value in options.items() if name in hints_of(TableOptions)}
        others = {name: value for name, value in options.items() if name not in own}
        require_known(others, EvaluationOptions, where="evaluate")
        chosen, columns = EvaluationOptions(**others), TableOptions(**own)  # type: ignore[arg-type]
        require_types(columns)
        if chosen.label is None:
            own_pairs = self._pairs(pairs, columns)
            require_known_targets(self, own_pairs)
            return evaluate_predictor(self, own_pairs, chosen)
        has_source = self.source_codec is not None
        paths, _ = paths_or_pairs(pairs, has_source=has_source)
        if not paths:
            raise ConfigError("needs a file, whose column it names", where="by", fix="give the path of a test file")
        found = read_for(self, paths, table=columns, label=chosen.label)
        require_known_targets(self, found.pairs)
        return evaluate_predictor(self, found.pairs, chosen, labels=found.labels)

    def align(
        self, pairs: PairData, *, batch_size: int = 64, max_input_length: int | None = None, strict: bool = False
    ) -> list[Prediction]:
        """Each target as the answer to its source, with the attention weights of teacher forcing.

        `Prediction.alignment()` gives pairs of positions. A transducer aligns by the most probable monotonic alignment.
        A pair with a side of more than `max_input_length` tokens has an empty prediction, whose `error` says so, and
        there is a warning; with `strict` it raises DataError. ConfigError for a model without attention, and for an
        ensemble.
        """
        options = BatchOptions(batch_size, max_input_length, strict)
        return align_pairs(self, self._pairs(pairs), options, stacklevel=4)

    @with_options(GenerationOptions, GenerationArguments)
    def attend(
        self, texts: str | Iterable[Source], *, heads: bool = False, **options: Unpack[GenerationArguments]
    ) -> list[Attention]:
        """The prediction for each text with its attention weights; with `heads`, those of every head of every layer.

        An `Attention` shows itself as a heat map in a notebook, and has `.plot()` and `.to_dicts()`. Raises ConfigError
        for a model without attention, and for the heads of an ensemble.
        """
        from seq2see.pictures.attention import attend as attention_of

        return attention_of(self, texts, heads=heads, **options)

    def pack(
        self,
        path: str | Path,
        *,
        weights: Literal["float32", "float16", "int8"] = "float32",
        data: PairData | None = None,
        hashes: bool = True,
    ) -> PackedModel:
        """Write the model as one `.seq2see` file (or as a folder, for another ending), which needs no PyTorch.

        It is compared with this one on the pairs of `data`, by default the dev pairs of its run, and its card says what
        changed. Without `hashes` it has no record of its training sources. Raises ConfigError for an ensemble, and
        where there are no pairs to compare on.
        """
        from seq2see.packing import pack_run

        (path,) = as_paths(path, where="path")
        if len(self.paths) != 1:
            fix = "load one model, and pack that"
            raise ConfigError("a packed file holds one model, saved in a folder or a file", where="pack", fix=fix)
        pairs = () if data is None else self._pairs(data)
        return pack_run(self.paths[0], path, weights=weights, data=pairs, hashes=hashes)

    def export(
        self,
        path: str | Path,
        *,
        weights: Literal["float32", "float16", "int8"] | None = None,
        data: PairData | None = None,
        separate_weights: bool = False,
        wasm: bool = True,
    ) -> ExportedModel:
        """Write the model for where Python is not, in the format that the ending of `path` names.

        `.html` is a page that works offline, and computes in WebAssembly where clang and lld are installed, unless
        `wasm` is False; `.js` and `.mjs` an ES module, `.c` one C99 file, which with
        `separate_weights` reads its weights from a file beside it, `.wasm` that in WebAssembly with an ES module
        beside it (needs clang and lld), `.onnx` a folder of ONNX graphs, `.ctranslate2` a folder for CTranslate2,
        `.json` the operations alone. Weights are int8 for browsers and C, float32 for other programs, unless
        `weights` says otherwise. Where the format can run (Node.js, ONNX Runtime), the answers are
        compared with those in Python, on `data`, by default the dev pairs of its run. Raises ConfigError for an
        ensemble, for a model that reads vectors or pictures, or protects parts of a text, and for `.ctranslate2` for
        all but Transformers.
        """
        from seq2see.export import export_run

        (path,) = as_paths(path, where="path")
        if len(self.paths) != 1:
            fix = "load one model, and export that"
            raise ConfigError("an exported file holds one model, saved in a folder or a file", where="export", fix=fix)
        pairs = () if data is None else self._pairs(data)
        return export_run(
            self.paths[0], path, weights=weights, data=pairs, separate_weights=separate_weights, wasm=wasm
        )

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        license: str | None = None,  # noqa: A002 (the word of the hub)
        language: str | Sequence[str] | None = None,
        evaluation: EvaluationReport | None = None,
        weights: Literal["float32", "float16", "int8"] = "float32",
        hashes: bool = False,
    ) -> None:
        """Write the model as a folder for the Hugging Face Hub, which `load` reads.

        Its README.md has the metadata that the hub shows: a `license` (such as "apache-2.0"), `language` codes, and as
        metrics those of an `evaluation`, by default those on dev while training. With `hashes` it has the record of its
        training sources. Raises ConfigError for an ensemble.
        """
        from seq2see.export.hub import HubOptions, save_for_hub

        (folder,) = as_paths(folder, where="folder")
        save_for_hub(
            self._own_path("save_pretrained"), folder, HubOptions(license, language, evaluation, weights, hashes)
        )

    def push_to_hub(
        self,
        repository: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        license: str | None = None,  # noqa: A002 (the word of the hub)
        language: str | Sequence[str] | None = None,
        evaluation: EvaluationReport | None = None,
        weights: Literal["float32", "float16", "int8"] = "float32",
        hashes: bool = False,
    ) -> str:
        """Upload what `save_pretrained` writes to `repository` ("owner/name"), and return its address.

        The repository is made if there is none, `private` or not. The token is by default that of `hf auth login` or of
        the environment. Raises CheckpointError with what the hub says if it refuses, ConfigError for an ensemble.
        """
        from seq2see.export.hub import HubOptions, push

        options = HubOptions(license, language, evaluation, weights, hashes)
        return push(self._own_path("push_to_hub"), repository, options, private=private, token=token)

    def _own_path(self, where: str) -> Path:
        """Where the model was loaded from. ConfigError for an ensemble."""
        if len(self.paths) != 1:
            raise ConfigError("needs one model, not an ensemble", where=where, fix="load one model, and save that")
        return self.paths[0]

    def _pairs(self, data: PairData, columns: TableOptions = TableOptions()) -> list[Pair]:  # noqa: B008 (frozen)
        return pairs_for(self, data, columns)

    def _facts(self) -> dict[str, str]:
        """What the model is, for its representations."""
        source, target = self.source_codec, self.target_codec
        units = [("source", source)] if source else []
        return {
            "architecture": self.name,
            "parameters": f"{self.num_parameters:,}",
            **{
                side: f"{codec.tokenizer.title}, {len(codec.vocabulary):,} tokens"
                for side, codec in [*units, ("target", target)]
            },
            "engine": " + ".join(dict.fromkeys(member.name for member in self.members)),
            "loaded from": ", ".join(map(str, self.paths)),
        }

    def __repr__(self) -> str:
        facts = [f"{name}: {value}" for name, value in self._facts().items() if value]
        return f"<seq2see.Model {'; '.join(facts)}>"

    def _repr_html_(self) -> str:
        from seq2see.markup import element, table, text_element

        rows = [[text_element(name, "th"), element("td", value)] for name, value in self._facts().items() if value]
        return table([], rows, caption="Seq2See model")


def load(
    path: Paths,
    *,
    device: DeviceName = "auto",
    engine: EngineName = "auto",
) -> Model:
    """The model of a run folder, of its `model/` folder alone, or of a packed file; several paths are an ensemble.

    `hf://owner/name` is a model of the Hugging Face Hub, `hf://owner/name@revision` a branch, tag or commit of it.
    `engine` computes: numpy, torch, or auto, which is torch for a GPU (`device` cuda or mps), else NumPy, which needs
    no PyTorch and is faster on a CPU. Both give the same answers.

    Raises CheckpointError, naming the file, for a folder that is missing, incomplete or damaged, and ConfigError for an
    invalid argument, or for models with different vocabularies.
    """
    return load_as(path, device=device, engine=engine, kind=Model)


def evaluate(
    model: Model | Paths,
    data: PairData,
    *,
    device: DeviceName = "auto",
    engine: EngineName = "auto",
    **options: Unpack[EvaluationArguments],
) -> EvaluationReport:
    """The metrics of `seq2see evaluate` for a model, or for that of a path; see `Model.evaluate`."""
    if not isinstance(model, Model):
        model = load(model, device=device, engine=engine)
    elif (device, engine) != ("auto", "auto"):
        fix = "give them to load"
        raise ConfigError("have no effect on a model that is loaded already", where="device, engine", fix=fix)
    return model.evaluate(data, **options)


def attend(
    model: Model | Paths, texts: str | Iterable[Source], *, heads: bool = False, **options: Unpack[GenerationArguments]
) -> list[Attention]:
    """The prediction for each text with its attention weights, for a model or that of a path; see `Model.attend`."""
    return (model if isinstance(model, Model) else load(model)).attend(texts, heads=heads, **options)

"""The matrices of an exported model as 8-bit integers, one table of bytes for all that reads it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx

from llmarm_tutorial.errors import DataError
from llmarm_tutorial.files import write_atomically
from llmarm_tutorial.models.export import need_package, quietly
from llmarm_tutorial.models.tokens import Reading


def quantise(source: str | Path, path: str | Path) -> Path:
    """Turn the matrices of an exported model into 8-bit integers, a quarter of the bytes.

    Every column of a matrix gets its own scale, every item its own; what flows between the matrices is quantised as it
    comes, by its range in each call (dynamic quantisation: nothing to calibrate). One table of bytes serves both to
    read items and to score them. Biases, positions, normalisation and attention stay in float32.

    Args:
        source: A file of `to_onnx`.
        path: Where to write; a file that is there is replaced.

    Returns:
        The path.

    Raises:
        DataError: If the source is no file of `to_onnx`, or is quantised already.
        Missing: If the packages that write ONNX are not installed.
        RunError: If the file cannot be written.
    """
    need_package("onnx", "Quantising a model")
    need_package("onnxruntime", "Quantising a model")
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    try:
        model = onnx.load(source)
        Reading.from_text({entry.key: entry.value for entry in model.metadata_props})
    except Exception as error:  # protobuf raises kinds of its own for a damaged file
        raise DataError(f"{source} is no model that `export.to_onnx` wrote; write it anew.") from error
    if any(node.op_type == "MatMulInteger" for node in model.graph.node):
        raise DataError(f"{source} is quantised already; name the file that `export.to_onnx` wrote.")
    _one_table(model.graph)
    with tempfile.TemporaryDirectory() as folder, quietly():
        quantised = Path(folder) / "quantised.onnx"
        quantize_dynamic(
            model, quantised, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8
        )
        found = onnx.load(quantised)
    _read_bytes(found.graph)
    del found.metadata_props[:]
    found.metadata_props.extend(model.metadata_props)
    write_atomically(Path(path), found.SerializeToString())
    return Path(path)


def _one_table(graph: onnx.GraphProto) -> None:
    """Let an item table that is read and multiplied be so in one shape, (width, n_tokens): then one copy will do."""
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers = {node.input[0]: node for node in graph.node if node.op_type == "Gather" and node.input[0] in weights}
    shared = [node for node in graph.node if node.op_type == "Gemm" and node.input[1] in readers]
    for node in shared:
        name, reader = node.input[1], readers[node.input[1]]
        turned = np.ascontiguousarray(numpy_helper.to_array(weights[name]).T)
        weights[name].CopyFrom(numpy_helper.from_array(turned, name))
        columns, product = reader.output[0] + "_columns", node.output[0] + "_product"
        scored = [helper.make_node("MatMul", [node.input[0], name], [product], name="item_scores")]
        if len(node.input) == 3:
            scored.append(helper.make_node("Add", [product, node.input[2]], node.output))
        else:  # the exporter leaves a bias out that is zero throughout
            scored[0].output[:] = node.output
        _replace(graph, node, *scored)
        _replace(
            graph,
            reader,
            helper.make_node("Gather", [name, reader.input[1]], [columns], axis=1),
            helper.make_node("Transpose", [columns], reader.output, perm=[1, 2, 0]),
        )
    del graph.value_info[:]  # shapes as the exporter saw them; they are inferred anew


def _read_bytes(graph: onnx.GraphProto) -> None:
    """Let tables that rows are read from be bytes too, each byte times the scale of its row."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    matrices = {name for name, one in weights.items() if one.data_type == TensorProto.FLOAT and len(one.dims) == 2}
    readers = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in matrices]
    multiplied = {name for name in matrices if name + "_quantized" in weights}  # an item per column, not per row
    for name in sorted({node.input[0] for node in readers}):
        if name not in multiplied:
            table = numpy_helper.to_array(weights[name])
            scale = np.maximum(np.abs(table).max(axis=1), np.finfo(np.float32).tiny) / 127
            codes = np.rint(table / scale[:, None]).astype(np.int8)
            graph.initializer.append(numpy_helper.from_array(codes, name + "_quantized"))
            graph.initializer.append(numpy_helper.from_array(scale[:, None].astype(np.float32), name + "_scale"))
        graph.initializer.remove(weights[name])
    for node in readers:
        name, rows = node.input[:2]
        read, numbers, scales = (node.output[0] + end for end in ("_bytes", "_numbers", "_scale"))
        _replace(
            graph,
            node,
            helper.make_node("Gather", [name + "_quantized", rows], [read], axis=int(name in multiplied)),
            helper.make_node("Cast", [read], [numbers], to=TensorProto.FLOAT),
            helper.make_node("Gather", [name + "_scale", rows], [scales], axis=0),
            helper.make_node("Mul", [numbers, scales], node.output),
        )


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, *others: onnx.NodeProto) -> None:
    """Put nodes where another one is."""
    place = list(graph.node).index(node)
    graph.node.remove(node)
    for other in reversed(others):
        graph.node.insert(place, other)

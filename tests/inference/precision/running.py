"""Runs a graph in each of the engines' packages, without the toolkit."""

import onnxruntime
import openvino


def run_onnxruntime(file, images, outputs=("features",)):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    found = session.run(list(outputs), {"images": images})
    return found[0] if len(found) == 1 else found


def run_openvino(file, images):
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled.create_infer_request().infer([images])[0].copy()

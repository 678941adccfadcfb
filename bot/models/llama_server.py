"""The program that LocalChat starts: llama.cpp's HTTP server on loopback, until its standard input ends.

A process of its own, because llama.cpp holds Python's lock while it loads (0.5 s for 135M parameters, seconds for
more), takes 30 s to stop amid a reply, and crashes an interpreter that exits meanwhile. It imports nothing of
Lorebot. Standard input gives one line of JSON and stays open: when the parent ends, however it ends, so does this.
Standard output gives one line: the address, or nothing where the model can't be loaded.
"""

import json
import os
import signal
import sys


def main() -> None:
    """Serve the model that the first line of standard input names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the terminal's program
    wanted = json.loads(sys.stdin.readline())
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.verbosity = -1  # silent
    parameters.offline = True
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.n_gpu_layers = 0
    parameters.n_parallel = 1
    parameters.sampling.temp = 0.2  # small models ramble at the usual 0.8, and run in circles without a penalty
    parameters.sampling.dry_multiplier = 0.8
    parameters.sampling.dry_allowed_length = 4
    parameters.sampling.dry_penalty_last_n = 64
    parameters.n_ctx = wanted["context"]
    parameters.cpuparams.n_threads = wanted["threads"]
    parameters.cpuparams_batch.n_threads = wanted["threads"]
    parameters.model.path = wanted["model"]
    parameters.model_alias = {wanted["name"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0  # any that is free
    parameters.api_keys = [wanted["key"]]
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError:
        os._exit(1)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # at once: the destructor would wait for the reply


if __name__ == "__main__":
    main()

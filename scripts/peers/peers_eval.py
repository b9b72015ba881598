"""Times classification (forward in inference mode) in PyTorch: both memory formats, the quicker one is the one to compare
with. A batch of 1 is latency. In fp32, then in bf16 autocast, which gains on CPUs that have it (AVX512_BF16, AMX).
JSON lines; peak memory is above the process after its imports, and of all that was measured before the line."""
import argparse, json, resource, statistics as st, time
import torch
from torch_models import *
ap = argparse.ArgumentParser()
ap.add_argument("--model", default="wrn"); ap.add_argument("--batch", type=int, default=128)
ap.add_argument("--threads", type=int, default=1); ap.add_argument("--reps", type=int, default=5)
a = ap.parse_args()
torch.set_num_threads(a.threads); torch.manual_seed(0)
M = dict(wrn=(WRN, 32), mobilenet=(MobileNetV1, 224), resnet50=(ResNet50, 224))
make, side = M[a.model]
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
formats = (("torch dense", torch.contiguous_format), ("torch dense channels_last", torch.channels_last))
for precision, (name, layout) in [(p, f) for p in ("fp32", "bf16") for f in formats]:
    m = make().eval().to(memory_format=layout)
    x = torch.randn(a.batch, 3, side, side).contiguous(memory_format=layout)
    t = []
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        for _ in range(a.reps + 1):
            s = time.perf_counter(); m(x); t.append((time.perf_counter() - s) * 1e3)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024
    print(json.dumps(dict(model=a.model, batch=a.batch, threads=a.threads, peer=name, precision=precision, median_ms=round(st.median(t[1:]), 2),
                          min_ms=round(min(t[1:]), 2), peak_bytes_above_imports=peak)), flush=True)

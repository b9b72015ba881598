"""Compares logits of this project's networks with PyTorch's, both ways through safetensors files.

    check_resnet50.py RIGL [resnet50|mobilenet|wrn] [--torchvision FOLDER]

RIGL is the rigl command. Needs torch, safetensors, numpy, pillow, and for resnet50 torchvision. Ways:
- there: rigl trains a step, exports (dense file), PyTorch loads it by load_state_dict(strict=True);
- back: PyTorch makes a network with weights and averages drawn at random, rigl imports its file.
Prints the largest difference of logits on the same pictures, relative to the largest logit.
"""
import argparse, json, os, subprocess, sys, tempfile

parser = argparse.ArgumentParser()
parser.add_argument("rigl")
parser.add_argument("network", nargs="?", default="resnet50", choices=["resnet50", "mobilenet", "wrn"])
parser.add_argument("--torchvision", help="a folder to find torchvision in")
options = parser.parse_args()
if options.torchvision:
    sys.path.append(options.torchvision)
import numpy as np, torch
from PIL import Image
from safetensors.torch import load_file, save_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch_models

torch.manual_seed(1)
CLASSES, SIDE = 10, {"wrn": 32}.get(options.network, 224)
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def renamed_mobilenet():
    """Names of torch_models.MobileNetV1 by this project's."""
    names = {"conv1": "f.0", "bn1": "f.1", "fc": "fc"}
    for pair in range(13):
        for place, part in enumerate(["depthwise", "bn1", None, "pointwise", "bn2", None]):
            if part:
                names[f"layer{pair + 1}.{part}"] = f"f.{3 + 6 * pair + place}"
    return names


def renamed_wrn(depth):
    """Names of torch_models.WRN by this project's."""
    n = (depth - 4) // 6
    names = {"conv1": "f.0", "bn": "bn", "fc": "fc"}
    for stage in range(3):
        for block in range(n):
            for ours, theirs in [("bn1", "b1"), ("conv1", "c1"), ("bn2", "b2"), ("conv2", "c2"), ("downsample", "sc")]:
                names[f"layer{stage + 1}.{block}.{ours}"] = f"f.{1 + stage * n + block}.{theirs}"
    return names


def network():
    """The PyTorch module, rigl's settings for it, and names of layers where they differ."""
    if options.network == "resnet50":
        import torchvision
        return torchvision.models.resnet50(weights=None, num_classes=CLASSES), ["--preset", "resnet-50"], None
    if options.network == "mobilenet":
        return torch_models.MobileNetV1(classes=CLASSES), ["--preset", "mobilenet-v1"], renamed_mobilenet()
    return torch_models.WRN(22, 2, 3, CLASSES), ["--set", "network=wrn-22-2", "--set", "image_size=32"], renamed_wrn(22)


def translate(tensors, names):
    """Tensors with the names of their layers changed."""
    if not names:
        return dict(tensors)
    result = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if layer in names:
            result[f"{names[layer]}.{part}"] = tensor
        else:
            raise KeyError(name)
    return result


def rigl(*arguments):
    return subprocess.run([options.rigl, *arguments], check=True, capture_output=True, text=True).stdout


def picture(path, seed):
    """Writes a picture of the network's size; returns its pixels."""
    values = np.random.default_rng(seed).integers(0, 256, (SIDE // 8, SIDE // 8, 3), np.uint8)
    image = Image.fromarray(values).resize((SIDE, SIDE), Image.BICUBIC)
    image.save(path)
    return np.asarray(image)


def compare(run, module, folder):
    """The largest difference relative to the largest logit."""
    pixels = [picture(f"{folder}/{i}.png", i) for i in range(3)]
    # As text: pixels by channel, so that no resizing stands between.
    with open(f"{folder}/pixels.txt", "w") as file:
        for image in pixels:
            file.write(" ".join(str(v) for v in image.transpose(2, 0, 1).reshape(-1)) + "\n")
    lines = rigl("predict", run, f"{folder}/pixels.txt", "--json", "--logits").splitlines()
    ours = np.array([json.loads(line)["logits"] for line in lines])
    inputs = np.stack([(image / np.float32(255) - MEAN) / DEVIATION for image in pixels]).transpose(0, 3, 1, 2)
    module.eval()
    with torch.no_grad():
        theirs = module(torch.tensor(inputs, dtype=torch.float32)).numpy()
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return np.abs(ours - theirs).max() / np.abs(theirs).max(), np.abs(theirs).max()


def photos(folder):
    """A few pictures by class."""
    for part, count in [("train", 2), ("val", 1)]:
        for label in range(CLASSES):
            os.makedirs(f"{folder}/{part}/{label}")
            for i in range(count):
                picture(f"{folder}/{part}/{label}/{i}.png", 1000 * label + i)


def there(folder):
    module, settings, names = network()
    photos(f"{folder}/photos")
    # One step, so that averages are not where they began.
    rigl("train", *settings, "--data", f"{folder}/photos", "--method", "rigl", "--validation", "0",
         "--set", "steps=1", "--set", "batch_size=4", "--set", "accumulation=1", "--set", "learning_rate=0.01",
         "--set", "warmup_epochs=0", "--set", f"image_size={SIDE}", "--output", f"{folder}/run", "--quiet")
    rigl("export", f"{folder}/run", "--dense", "--output", f"{folder}/out.safetensors")
    loaded = translate(load_file(f"{folder}/out.safetensors"), names)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            loaded[name] = tensor
    module.load_state_dict(loaded, strict=True)
    return compare(f"{folder}/run", module, folder)


def back(folder, half=False):
    module, settings, names = network()
    for name, tensor in module.state_dict().items():
        # Averages, and the scales that start at 0, as a training might leave them.
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.dim() == 1 and name.endswith("weight"):
            tensor.uniform_(0.5, 1.0)
    if half:
        # Both sides compute in single precision with the weights that a half can hold.
        module.half().float()
    state = module.state_dict()
    if names:
        state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
        state = translate(state, {theirs: ours for ours, theirs in names.items()})
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    save_file(state, f"{folder}/in.safetensors")
    rigl("import", f"{folder}/in.safetensors", *settings, "--set", "data=photos", "--set", f"image_size={SIDE}",
         "--set", "batch_size=4", "--output", f"{folder}/imported")
    return compare(f"{folder}/imported", module, folder)


for title, way in [("rigl to PyTorch", there), ("PyTorch to rigl", back), ("PyTorch to rigl, F16", lambda f: back(f, True))]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            difference, largest = way(folder)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{title}: {error.cmd}: {error.stderr}")
        print(f"{options.network}, {title}: {difference:.1e} relative to the largest logit, {largest:.3g}", flush=True)
        if not difference < 1e-4:
            sys.exit("more than 1e-4")

import ArgumentParser
import RigLCore

/// `rigl export`
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a run's network as a safetensors file for other programs.",
    discussion: """
      With --dense the file has every weight, zeros included, in PyTorch's shapes: torchvision's \
      resnet18, 34, 50, 101 and vgg16_bn load it by load_state_dict. Without, a sparse weight is its \
      values, columns and row offsets. The way back is rigl import FILE.

      Names of the others, each with .weight and where it has one .bias:
        mlp           fc1, fc2, ...
        lenet-5       conv1, conv2, fc1, fc2, fc3
        wrn-D-K       conv1, layer1.0.bn1, .conv1, .bn2, .conv2, .downsample, ..., bn, fc
        mobilenet-v1  conv1, bn1, layer1.depthwise, .bn1, .pointwise, .bn2, ..., fc
      """)

  @OptionGroup var source: RunArguments

  @Flag(help: "Write zeros where there is no connection.")
  var dense = false

  @Option(
    help: .networkFile(ifNotGiven: "RUN/dense.safetensors or RUN/sparse.safetensors"))
  var output: String?

  @OptionGroup var printing: PrintingArguments

  private struct Result: Encodable {
    let run: String
    let file: String
    let step: Int
    let bytes: Int
    let connections: Int
  }

  func run() throws {
    let path = try source.file(output, ifNotGiven: dense ? "dense" : "sparse")
    let (step, connections): (Int, Int)
    if let stored = try source.storedNetwork(printing) {
      try stored.export(to: path, isDense: dense)
      (step, connections) = (stored.step, stored.connections)
    } else {
      let saved = try source.open(printing)
      try saved.export(to: path, isDense: dense)
      (step, connections) = (saved.step, saved.model.connections)
    }
    let result = Result(
      run: source.folder, file: path, step: step,
      bytes: try SafetensorsFile(path: path).size, connections: connections)
    try printing.print(
      result, orText: "\(path): step \(grouped(step)), \(byteCount(result.bytes))\n")
  }
}

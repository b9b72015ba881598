// Fine-tuning of an imported network: a dense one comes as a safetensors file with PyTorch's names,
// loses four weights in five, and is trained further on few samples of another machine.
//
//     swift run --package-path Examples fine-tuning [FOLDER]
//
// The program makes the file itself, with just the tensors that torch.save_file would write of a
// module with two nn.Linear, fc1 and fc2.
import RigLCore
import Support

struct TwoLayers: Network {
  func layers(input: SampleShape, classes: Int) -> Sequential {
    Sequential(
      SparseLinear("fc1", inputs: input.count, outputs: 128), ReLU(),
      SparseLinear("fc2", inputs: 128, outputs: classes))
  }
}

/// Trains a dense network, and writes its tensors alone: `fc1.weight` (128, 64), `fc1.bias`, and so on.
func writeForeignFile(to path: String, _ scratch: Scratch) throws {
  var configuration = Configuration()
  configuration.method = .dense
  configuration.batchSize = 50
  configuration.epochs = 4
  configuration.learningRate = 0.05
  let data = TrainingData(train: Clusters(count: 3000), test: Clusters(count: 1000, first: 3000))
  let trainer = try Trainer(
    configuration, options: scratch.options("dense"), network: TwoLayers(), data: data)
  let result = try trainer.run()
  print("dense, on the first machine's samples: accuracy \(text(result.test?.accuracy ?? 0))")

  let export = try scratch.fresh("export.safetensors")
  try SavedRun(scratch.path + "/dense", network: TwoLayers()).export(to: export, isDense: true)
  let file = try SafetensorsFile(path: export)
  var writer = try SafetensorsWriter(path: path, tensors: file.tensors)
  for tensor in file.tensors { try writer.append(file.float32(tensor.name), to: tensor.name) }
  try writer.finish()
}

runExample { scratch in
  let path = try scratch.fresh("foreign.safetensors")
  try writeForeignFile(to: path, scratch)
  for tensor in try SafetensorsFile(path: path).tensors {
    print("  \(tensor.name) \(tensor.shape)")
  }

  // Of each layer the largest weights stay, as many as the settings' sparsity leaves.
  var configuration = Configuration()
  configuration.sparsity = 0.8
  configuration.batchSize = 50
  let network = try NetworkImport(
    path, configuration, network: TwoLayers(), input: SampleShape(channels: 64), prunes: true)
  let imported = try network.write(scratch.options("imported"))
  let connections = network.model.sparseLayers.map(\.count)
  print("imported: \(connections) connections of \(network.positions) positions")

  // Another machine measures otherwise, and there are few samples of it.
  let other = TrainingData(
    train: Clusters(count: 500, first: 10_000, machine: 1),
    test: Clusters(count: 1000, first: 20_000, machine: 1))
  let before = try SavedRun(imported.path, network: TwoLayers()).evaluate(other.test).accuracy

  func settle(_ configuration: inout Configuration) {
    configuration.epochs = 10
    configuration.updateInterval = 10
    configuration.dropFraction = 0.1
    configuration.learningRate = 0.05
    configuration.validation = 0
  }
  let tuning = try Trainer(
    startingFrom: imported.path, options: scratch.options("tuned"), network: TwoLayers(),
    data: other, change: settle)
  try check(tuning.model.sparseLayers.map(\.count) == connections, "the layers have other counts")
  let after = try tuning.run().test?.accuracy ?? 0

  settle(&configuration)
  let scratchTraining = try Trainer(
    configuration, options: scratch.options("anew"), network: TwoLayers(), data: other)
  let anew = try scratchTraining.run().test?.accuracy ?? 0
  print("on the other machine's samples, 80 % sparse: accuracy \(text(before)) as imported,")
  print("\(text(after)) fine-tuned, \(text(anew)) trained anew for as long")
  try check(after > before, "fine-tuning has not helped")
  try check(after > anew, "starting from the file has not helped")
}

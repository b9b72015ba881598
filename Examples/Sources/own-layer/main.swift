// An own sparse layer, a convolution in one dimension: trained by RigL, counted, timed, resumed and
// exported like any other.
//
//     swift run --package-path Examples own-layer [FOLDER]
import Foundation
import RigLCore
import Support

/// Two one-dimensional convolutions and a linear layer.
struct SignalNetwork: Network {
  func layers(input: SampleShape, classes: Int) -> Sequential {
    Sequential(
      SparseConv1d("conv1", channels: input.channels, outputs: 16, kernel: 5), ReLU(),
      SparseConv1d("conv2", channels: 16, outputs: 32, kernel: 5), ReLU(), Dropout(0.1),
      SparseLinear("output", inputs: 32 * input.width, outputs: classes))
  }
}

/// Signals of two channels, with noise: one of four wavelengths, beginning anywhere.
struct Signals: Dataset {
  let count: Int
  /// Samples of another number are other ones.
  let first: Int
  let sampleShape = SampleShape(channels: 2, height: 1, width: 48)
  let classes = 4

  func label(of sample: Int) -> Int { (first + sample) % classes }

  func write(_ sample: Int, into values: inout MutableSpan<Float>) {
    var state = UInt64(first + sample + 1) &* 0x9E37_79B9_7F4A_7C15
    func uniform() -> Double {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Double(state >> 11) / Double(UInt64(1) << 53)
    }
    let length = [5.0, 7.0, 10.0, 14.0][label(of: sample)]
    let begin = uniform() * length
    let width = sampleShape.width
    for channel in 0..<sampleShape.channels {
      for x in 0..<width {
        let phase = (Double(x) + begin) / length + Double(channel) / 4
        values[channel * width + x] = Float(sin(2 * .pi * phase) + 2 * (uniform() - 0.5))
      }
    }
  }
}

/// Stops a training after some steps, as Ctrl-C would.
struct Interruption: TrainingCallback {
  let step: Int
  func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
    trainer.step.weightSteps >= step ? .interrupt : .proceed
  }
}

func makeTrainer(_ options: RunOptions) throws -> Trainer {
  var configuration = Configuration()
  configuration.method = .rigl
  configuration.sparsity = 0.8
  configuration.distribution = .uniform
  configuration.firstLayerSparse = true
  configuration.batchSize = 50
  configuration.epochs = 4
  configuration.updateInterval = 10
  configuration.learningRate = 0.05
  configuration.validation = 0
  let data = TrainingData(
    train: Signals(count: 2000, first: 0), test: Signals(count: 500, first: 2000))
  return try Trainer(configuration, options: options, network: SignalNetwork(), data: data)
}

runExample { scratch in
  // Trained by RigL: connections move to where the dense gradient is largest.
  let trainer = try makeTrainer(scratch.options("run"))
  let before = trainer.model.sparseLayers.map { Set($0.connectedPositions()) }
  let result = try trainer.run()
  print("test accuracy \(text(result.test?.accuracy ?? 0))")
  for (layer, old) in zip(trainer.model.sparseLayers, before) {
    let moved = Set(layer.connectedPositions()).subtracting(old).count
    print("\(layer.name): \(layer.count) of \(layer.positions) connections, \(moved) moved")
    try check(moved > 0, "\(layer.name) did not move")
  }

  // Counted: multiply-adds at every place of a sample.
  for layer in trainer.model.weightLayers {
    let counted = layer.accounted.withConnections(layer.weight.count)
    let (sparse, dense) = (
      Accounting.real.cost(of: counted), Accounting.real.cost(of: counted.dense)
    )
    print("\(layer.name): \(Int(sparse.flops)) of \(Int(dense.flops)) FLOPs a sample")
  }

  // Timed: what each kind of a weight step's work takes, and what it has to do at the least.
  let timed = try makeTrainer(scratch.options("unused"))
  let clock = StageClock(for: timed.step)
  timed.step.clock = clock
  var steps: [StageTimes] = []
  while steps.count < 30 {
    clock.start()
    let movedWeights = try timed.trainNextBatch().movedWeights
    let times = clock.stop()
    if movedWeights { steps.append(times) }
  }
  let times = StageTimes.mean(of: Array(steps.dropFirst(10)))
  for (index, part) in clock.parts.enumerated() where part.connections != nil {
    for kind in StepStage.allCases {
      guard let work = part.work[kind], times[index, kind] > 0 else { continue }
      let microseconds = text(times[index, kind] * 1e6, digits: 1)
      print("\(part.name) \(kind.name): \(microseconds) µs,", terminator: " ")
      print("\(Int(work.flops)) FLOPs, \(Int(work.bytes)) bytes")
    }
  }

  // Checkpointed: a run that is interrupted and resumed ends with the same bits.
  let interrupted = try makeTrainer(scratch.options("interrupted"))
  interrupted.callbacks = [Interruption(step: 70)]
  _ = try interrupted.run()
  let resumed = try makeTrainer(scratch.options("unused"))
  _ = try resumed.resume("\(scratch.path)/interrupted")
  for (one, other) in zip(trainer.model.weightLayers, resumed.model.weightLayers) {
    let isSame = one.weight.values.array() == other.weight.values.array()
    try check(isSame, "\(one.name) was resumed otherwise")
  }
  print("resumed: the same weights")

  // Exported by PyTorch's names and shapes, and read again.
  let run = try SavedRun("\(scratch.path)/run", network: SignalNetwork())
  try run.export(to: "\(scratch.path)/dense.safetensors", isDense: true)
  let file = try SafetensorsFile(path: "\(scratch.path)/dense.safetensors")
  for layer in trainer.model.weightLayers {
    let weight = try file.float32("\(layer.name).weight", shape: layer.shape)
    let own = layer.connections.map { $0.dense($0.parameter.values) } ?? []
    try check(weight == own, "\(layer.name) was exported otherwise")
    print("exported \(layer.name).weight \(layer.shape)")
  }
  try run.export(to: "\(scratch.path)/sparse.safetensors", isDense: false)
  let model = try Model(
    SignalNetwork().layers(input: run.sampleShape, classes: run.classes),
    input: run.sampleShape, capacity: 50,
    connections: Dictionary(
      uniqueKeysWithValues: trainer.model.sparseLayers.map { ($0.name, $0.count) }),
    isTraining: false)
  try model.load(from: "\(scratch.path)/sparse.safetensors")
  for (one, other) in zip(trainer.model.weightLayers, model.weightLayers) {
    try check(
      one.weight.values.array() == other.weight.values.array(), "\(one.name) was read otherwise")
  }
  print("read again: the same weights")
}

// Own topology methods, each one small file: training drops by |w · gradient|, prunes a dense network
// in one pool, or lets layers hand connections over.
//
//     swift run --package-path Examples own-method [FOLDER]
import RigLCore
import Support

struct Hidden: Network {
  func layers(input: SampleShape, classes: Int) -> Sequential {
    Sequential(
      SparseLinear("hidden1", inputs: input.count, outputs: 256), ReLU(),
      SparseLinear("hidden2", inputs: 256, outputs: 128), ReLU(),
      SparseLinear("output", inputs: 128, outputs: classes))
  }
}

runExample { scratch in
  let data = TrainingData(train: Clusters(count: 3000), test: Clusters(count: 1000, first: 3000))

  /// Trains with a method; the connections of each layer before and after.
  func train(_ method: any TopologyMethod) throws -> (before: [Int], after: [Int]) {
    var configuration = Configuration()
    configuration.sparsity = 0.9
    configuration.batchSize = 50
    configuration.epochs = 4
    configuration.updateInterval = 10
    configuration.learningRate = 0.05
    let name = "\(type(of: method))"
    let trainer = try Trainer(
      configuration, options: scratch.options(name), network: Hidden(), data: data, method: method)
    let positions = trainer.model.sparseLayers.map { Set($0.connectedPositions()) }
    let before = trainer.model.sparseLayers.map(\.count)
    let result = try trainer.run()
    let after = trainer.model.sparseLayers.map(\.count)
    let accuracy = result.test?.accuracy ?? 0
    let seconds = Double(configuration.batchSize) / (result.samplesPerSecond ?? .infinity)
    print("\(name): test accuracy \(text(accuracy)),", terminator: " ")
    print("\(text(seconds, digits: 6)) s a step, connections", terminator: "")
    for (layer, (begin, end)) in zip(trainer.model.sparseLayers, zip(before, after)) {
      print(" \(layer.name) \(begin) → \(end)", terminator: "")
    }
    print()
    try check(accuracy > 0.8, "\(name): an accuracy of \(accuracy)")
    let hasMoved = zip(trainer.model.sparseLayers, positions).allSatisfy { layer, old in
      Set(layer.connectedPositions()) != old
    }
    try check(hasMoved, "\(name): a layer has its connections where they were drawn")
    return (before, after)
  }

  let drop = try train(SaliencyDrop())
  try check(drop.before == drop.after, "SaliencyDrop: other counts")

  let pruning = try train(GlobalPruning(begin: 20, end: 160, interval: 20))
  let (all, left) = (pruning.before.reduce(0, +), pruning.after.reduce(0, +))
  try check(all == 64 * 256 + 256 * 128 + 128 * 10, "GlobalPruning: did not begin dense")
  try check(left == all - all * 9 / 10 || left == all / 10, "GlobalPruning: \(left) of \(all) left")

  let handed = try train(HandOver())
  let (begin, end) = (handed.before.reduce(0, +), handed.after.reduce(0, +))
  try check(begin == end, "HandOver: \(begin) connections became \(end)")
  try check(handed.before != handed.after, "HandOver: no layer has handed over any")
}

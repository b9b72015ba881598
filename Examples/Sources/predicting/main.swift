// Predicting in a loop with a trained run: single samples, and batches of 256.
//
//     swift run -c release --package-path Examples predicting [FOLDER]
//
// The run is FOLDER/run; where there is none it is trained first.
import Foundation
import RigLCore
import Support

struct Wide: Network {
  func layers(input: SampleShape, classes: Int) -> Sequential {
    Sequential(
      SparseLinear("hidden1", inputs: input.count, outputs: 512), ReLU(),
      SparseLinear("hidden2", inputs: 512, outputs: 256), ReLU(),
      SparseLinear("output", inputs: 256, outputs: classes))
  }
}

func train(_ scratch: Scratch) throws {
  var configuration = Configuration()
  configuration.sparsity = 0.9
  configuration.batchSize = 50
  configuration.epochs = 3
  configuration.updateInterval = 10
  configuration.learningRate = 0.05
  let data = TrainingData(train: Clusters(count: 3000), test: Clusters(count: 1000, first: 3000))
  let trainer = try Trainer(
    configuration, options: scratch.options("run"), network: Wide(), data: data)
  print("trained: test accuracy \(text(try trainer.run().test?.accuracy ?? 0))")
}

/// Predicts all samples again and again for a quarter of a second, `batch` at a time.
func predict(_ samples: [[Float]], _ run: SavedRun, batch: Int) throws -> [Int] {
  // A call predicts as many samples at once as the run was opened for, and arrays are made outside.
  let batches = stride(from: 0, to: samples.count, by: batch).map {
    Array(samples[$0..<min($0 + batch, samples.count)])
  }
  var predicted: [Int] = []
  var count = 0
  let clock = ContinuousClock()
  let begin = clock.now
  repeat {
    predicted.removeAll(keepingCapacity: true)
    for batch in batches { predicted += try run.predict(batch) }
    count += samples.count
  } while clock.now - begin < .milliseconds(250)
  let seconds = (clock.now - begin) / .seconds(1)
  print("\(batch) at a time: \(Int(Double(count) / seconds)) samples a second")
  return predicted
}

runExample { scratch in
  let path = scratch.path + "/run"
  if !FileManager.default.fileExists(atPath: path) { try train(scratch) }

  // One thread is quickest for a single sample of a network as small as this.
  let single = try SavedRun(path, network: Wide(), batch: 1, threads: 1)
  let batched = try SavedRun(path, network: Wide(), batch: 256, threads: 2)
  print("\(path): step \(single.step), \(single.model.connections) connections")

  let unseen = Clusters(count: 1024, first: 50_000)
  let samples = (0..<unseen.count).map { unseen.values(of: $0) }
  let one = try predict(samples, single, batch: 1)
  let many = try predict(samples, batched, batch: 256)
  try check(one == many, "a sample alone and in a batch are taken for different classes")

  let right = one.indices.count { one[$0] == unseen.label(of: $0) }
  let likely = try single.predictions([samples[0]])[0]
  print("sample 0: class \(likely.label), with probability \(text(likely.probability))")
  print("\(right) of \(one.count) right")
  try check(right > one.count * 8 / 10, "\(right) of \(one.count) right")
}

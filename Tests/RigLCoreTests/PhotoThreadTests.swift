import Foundation
import RigLCore
import RigLImages
import Testing

/// What does not depend on photos that cannot be read, nor on threads that cannot start.
extension PhotoTrainingTests {
  /// Keeps the logits of every sample that it is asked about.
  private final class RecordingLoss: Loss, @unchecked Sendable {
    // A training asks from one thread.
    private(set) var logits: [[Float]] = []

    func loss(of logits: Span<Float>, label: Int, gradient: inout MutableSpan<Float>) -> Double {
      self.logits.append(logits.indices.map { logits[$0] })
      for index in gradient.indices { gradient[index] = index == label ? -0.1 : 0.1 }
      return Double(logits[label])
    }
  }

  /// The samples behind a damaged one are dropped as if it were there.
  @Test(arguments: [0, 2, 5]) func damageMovesNoMask(place: Int) throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder, trainPerClass: 40)
    var configuration = Self.configuration()
    configuration.dropout = 0.5
    configuration.batchSize = 20
    let options = RunOptions(threads: 2, dataFolder: folder("photos"))
    func logits() throws -> [[Float]] {
      let loss = RecordingLoss()
      let trainer = try Trainer(configuration, options: options, loss: loss)
      try trainer.trainNextBatch()
      return loss.logits
    }
    let whole = try logits()
    #expect(whole.count == 20 && Set(whole).count == 20)
    var order = EpochOrder(count: 120, seed: configuration.seed)
    order.shuffle(epoch: 0)
    let sample = order.withSamples(0..<120) { Int($0[place]) }
    let data = try TrainingData.load(configuration, folder: folder("photos"))
    let photos = try #require((data.train as? Subset)?.base as? PhotoSet)
    try damage(photos.path(of: sample))
    var expected = whole
    expected.remove(at: place)
    #expect(try logits() == expected)
  }

  /// A batch of which nothing is left has the random numbers that it would have had.
  @Test func wholeBatchesOfDamageMoveNoMask() throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    var configuration = Self.configuration()
    configuration.batchSize = 1
    configuration.dropout = 0.5
    // No weight moves: a sample's logits say its mask.
    configuration.learningRate = 1e-30
    configuration.weightDecay = 0
    let options = RunOptions(threads: 2, dataFolder: folder("photos"))
    func logits(_ batches: Int) throws -> [[Float]] {
      let loss = RecordingLoss()
      let trainer = try Trainer(configuration, options: options, loss: loss)
      for _ in 0..<batches { try trainer.trainNextBatch() }
      return loss.logits
    }
    let whole = try logits(10)
    var order = EpochOrder(count: 24, seed: configuration.seed)
    order.shuffle(epoch: 0)
    let sample = order.withSamples(0..<24) { Int($0[3]) }
    let data = try TrainingData.load(configuration, folder: folder("photos"))
    try damage(try #require((data.train as? Subset)?.base as? PhotoSet).path(of: sample))
    #expect(try logits(9) == Array(whole[..<3]) + Array(whole[4...]))
  }

  // MARK: - Threads

  /// What cannot start ends with an error, and the threads that have started with it.
  @Test(arguments: 0..<3) func threadsThatCannotStartAreAnError(started: Int) throws {
    let folder = try TemporaryFolder()
    try Self.generate(folder)
    let data = try TrainingData.load(Self.configuration(), folder: folder("photos"))
    let packer = try BatchPacker(data.train, capacity: 4)
    var calls = 0
    let error = #expect(throws: RigLError.self) {
      _ = try ReadAhead(packer, size: 4, layout: .vectors, seed: 1, threads: 3) { body in
        calls += 1
        return calls > started ? EAGAIN : startThread(body)
      }
    }
    #expect(calls == started + 1 && error?.kind == .configuration)
    #expect(error?.what.contains("thread \(started + 1) of 3") == true, "\(error?.what ?? "")")
    #expect(error?.hint?.contains("--threads") == true)
  }
}

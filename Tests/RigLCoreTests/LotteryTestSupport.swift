import Foundation
import RigLCore
import Testing

extension SafetensorsFile {
  /// A tensor of whole numbers.
  func integers(_ name: String) throws -> [Int] {
    self[name]?.type == .int32 ? try int32(name).map { Int($0) } : try int64(name).map { Int($0) }
  }

  /// What its metadata say of the training's state.
  var state: [String: Any] {
    get throws {
      let text = try #require(metadata["state"])
      return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }
  }
}

/// The settings of lottery tickets' tests.
enum LotterySettings {
  static let configuration = Configuration().changing {
    $0.data = "synthetic"
    ($0.trainSamples, $0.testSamples, $0.validation) = (200, 40, 40)
    $0.hidden = [32, 24]
    ($0.batchSize, $0.totalSteps) = (20, 20)
    ($0.method, $0.sparsity, $0.lotteryRounds) = (.lottery, 0.8, 3)
    ($0.updateInterval, $0.clipNorm, $0.seed, $0.lastLayerDense) = (4, 1, 1, true)
  }

  /// A small convolutional network.
  static let convolutional = configuration.changing {
    ($0.data, $0.network, $0.dropout) = ("synthetic-color", "wrn-10-2", 0.3)
    ($0.trainSamples, $0.testSamples, $0.validation, $0.imageSize) = (24, 8, 0, 8)
    ($0.batchSize, $0.totalSteps, $0.lotteryRounds) = (8, 4, 2)
    $0.updateInterval = 2
  }
}

/// Stops a training at a place, or at a file's being written.
final class LotteryStop: TrainingCallback {
  let isThere: (TrainingEvent, Trainer) -> Bool
  var remarks: [String] = []
  var warnings: [String] = []
  init(_ isThere: @escaping (TrainingEvent, Trainer) -> Bool = { _, _ in false }) {
    self.isThere = isThere
  }
  func observe(_ event: TrainingEvent, in trainer: Trainer) -> TrainingDecision {
    if case .remark(let text) = event { remarks.append(text) }
    if case .warning(let text) = event { warnings.append(text) }
    return isThere(event, trainer) ? .interrupt : .proceed
  }
}

/// What tests of lottery tickets do with runs.
protocol LotterySuite {}

extension LotterySuite {
  func trainer(
    _ configuration: Configuration, _ path: String?, threads: Int = 1, keep: Int = 999
  ) throws -> Trainer {
    var options = RunOptions()
    (options.threads, options.checkpointEvery, options.keep) = (threads, 5, keep)
    options.logEvery = 3
    options.output = path
    return try Trainer(configuration, options: options)
  }

  @discardableResult
  func train(
    _ configuration: Configuration, _ path: String, threads: Int = 1, resuming: Bool = false,
    keep: Int = 999, until isThere: @escaping (TrainingEvent, Trainer) -> Bool = { _, _ in false }
  ) throws -> (trainer: Trainer, result: Trainer.Result, told: [String]) {
    let trainer = try trainer(
      configuration, resuming ? nil : path, threads: threads, keep: keep)
    let callback = LotteryStop(isThere)
    trainer.callbacks = [callback]
    let result = try resuming ? trainer.resume(path) : trainer.run()
    return (trainer, result, callback.remarks + callback.warnings)
  }

  func file(_ run: String, _ round: Int, _ step: Int) throws -> SafetensorsFile {
    try SafetensorsFile(
      path: CheckpointStore(folder: "\(run)/checkpoints").path(round: round, step: step))
  }

  func bytes(_ run: String, _ round: Int, _ step: Int) throws -> [UInt8] {
    try fileBytes(CheckpointStore(folder: "\(run)/checkpoints").path(round: round, step: step))
  }

  /// A tensor's elements by position, 0 where a sparse layer has no connection, and the positions that
  /// have one.
  func dense(
    _ file: SafetensorsFile, _ name: String, like shape: [Int]
  ) throws -> (values: [Float], positions: [Int]) {
    let count = shape.reduce(1, *)
    if let whole = file[name], whole.shape == shape {
      return (try file.float32(name), Array(0..<count))
    }
    let end = try #require(name.range(of: ".weight")).upperBound
    let key = String(name[..<end])
    let offsets = try file.integers("\(key).row_offsets")
    let columns = try file.integers("\(key).columns")
    let stored = try file.float32(name == key ? "\(name).values" : name)
    var (values, positions) = ([Float](repeating: 0, count: count), [Int]())
    let width = count / shape[0]
    for row in 0..<shape[0] {
      for index in offsets[row]..<offsets[row + 1] {
        positions.append(row * width + columns[index])
        values[row * width + columns[index]] = stored[index]
      }
    }
    return (values, positions)
  }
}

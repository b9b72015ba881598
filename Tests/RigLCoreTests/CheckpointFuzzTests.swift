import Foundation
import RigLCore
import Testing

/// Whole and well-formed checkpoints with the right checksum, whose contents are wrong: whatever they
/// say, a run is refused by a `RigLError` or works.
@Suite struct CheckpointFuzzTests {
  private static let data = TrainingData(
    train: RandomSamples(count: 60, width: 12, classes: 3),
    validation: RandomSamples(count: 20, width: 12, classes: 3, seed: 2),
    test: RandomSamples(count: 20, width: 12, classes: 3, seed: 3))
  private static let configuration = Configuration().changing {
    $0.hidden = [10, 8]
    $0.batchSize = 10
    $0.epochs = 3
    $0.sparsity = 0.5
    $0.updateInterval = 4
    $0.validation = 0
    $0.momentum = 0.9
  }

  private static func trainer(_ path: String?) throws -> Trainer {
    let options = RunOptions(threads: 1, output: path)
    return try Trainer(configuration, options: options, data: data)
  }

  private static let numbers = [
    "0", "-1", "1", "2", "7", "12", "255", "65536", "1048576", "1125899906842624",
    "1125899906842625", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
    "1e300", "-0.0", "0.5", "1e-320", "null", "true", "\"\"", "[]", "{}", "3.0000000001",
  ]
  private static let words = [
    "", "0", "-1", "1,2", "3,2,2", "12,1,1", "1,1,12", "1048576,1048576,1048576", "nan", "inf",
    "268435456", "16777216", "4", "0.5,0", "1,inf", "[\"a\",\"b\",\"c\"]", "[]", "\u{0}",
    "é\u{1B}[2J",
    "9223372036854775808", "seed: 1", "hidden: [1, 1]", "data: idx", "{",
  ]

  /// What a mutation makes of a checkpoint.
  private struct Contents {
    var metadata: [String: String]
    var tensors: [(tensor: SafetensorsTensor, bytes: [UInt8])]

    init(_ path: String) throws {
      let file = try SafetensorsFile(path: path)
      metadata = file.metadata
      metadata["rigl.crc32"] = nil
      tensors = try file.tensors.map { ($0, try file.bytes($0.name)) }
    }

    func write(to path: String) throws {
      var writer = try SafetensorsWriter(
        path: path, tensors: tensors.map(\.tensor), metadata: metadata, checksummed: true)
      for (tensor, bytes) in tensors { try writer.append(bytes: bytes.span.bytes, to: tensor.name) }
      try writer.finish()
    }
  }

  /// Puts another number in the place of one of those in a text.
  private static func replaceNumber(
    in text: String, with number: String, _ random: inout SeededGenerator
  ) -> String {
    let places = text.ranges(of: /-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?/)
    guard let place = places.randomElement(using: &random) else { return text }
    return text.replacingCharacters(in: place, with: number)
  }

  private static func mutate(
    _ contents: inout Contents, of kind: Int, _ random: inout SeededGenerator
  ) {
    let number = numbers.randomElement(using: &random) ?? ""
    let word = words.randomElement(using: &random) ?? ""
    let key = contents.metadata.keys.sorted().randomElement(using: &random) ?? ""
    let index = Int.random(in: contents.tensors.indices, using: &random)
    switch kind {
    case 0:
      contents.metadata["state"] = replaceNumber(
        in: contents.metadata["state"] ?? "", with: number, &random)
    case 1:
      contents.metadata["configuration"] = replaceNumber(
        in: contents.metadata["configuration"] ?? "", with: number, &random)
    case 2: contents.metadata[key] = word
    case 3: contents.metadata[key] = nil
    case 4: contents.tensors.remove(at: index)
    case 5:
      let (tensor, bytes) = contents.tensors[index]
      let name = contents.tensors.randomElement(using: &random)?.tensor.name ?? ""
      contents.tensors[index] = (
        SafetensorsTensor("\(name).x", tensor.type, shape: tensor.shape), bytes
      )
    case 6:
      let (tensor, bytes) = contents.tensors[index]
      let count = bytes.count / tensor.type.size
      let shapes = [[count], [1, count], [count, 1], [count, 1, 1, 1]]
      contents.tensors[index].tensor = SafetensorsTensor(
        tensor.name, tensor.type, shape: shapes.randomElement(using: &random) ?? [])
    case 7:
      let (tensor, bytes) = contents.tensors[index]
      let count = max(0, bytes.count / tensor.type.size + Int.random(in: -2...2, using: &random))
      contents.tensors[index] = (
        SafetensorsTensor(tensor.name, tensor.type, shape: [count]),
        Array((bytes + [UInt8](repeating: 0, count: 16)).prefix(count * tensor.type.size))
      )
    default:
      var bytes = contents.tensors[index].bytes
      let size = contents.tensors[index].tensor.type.size
      guard bytes.count >= size else { return }
      let place = Int.random(in: 0..<bytes.count / size, using: &random) * size
      let patterns: [UInt8] = [0, 0xFF, 0x7F, 0x80, 1]
      for offset in 0..<size {
        bytes[place + offset] = patterns.randomElement(using: &random) ?? 0
      }
      contents.tensors[index].bytes = bytes
    }
  }

  /// Uses a run in every way; returns whether nothing was refused.
  private static func uses(_ path: String, _ run: String) throws -> Bool {
    var isWhole = true
    func attempt(_ body: () throws -> Void) throws {
      do { try body() } catch let error as RigLError {
        isWhole = false
        #expect(!error.what.isEmpty)
      }
    }
    try attempt {
      let saved = try SavedRun(run, threads: 1)
      _ = try saved.predictions([[Float](repeating: 0.5, count: saved.sampleShape.count)])
      _ = try saved.evaluate(data.test)
      try saved.export(to: path, isDense: true)
      _ = saved.model.inspect()
    }
    try attempt {
      let trainer = try trainer(nil)
      trainer.callbacks = [Watcher(stopAt: trainer.step.weightSteps + 8)]
      _ = try trainer.resume(run)
    }
    return isWhole
  }

  @Test(arguments: 0..<9)
  func wrongContentsAreRefusedOrWork(kind: Int) throws {
    let folder = try TemporaryFolder()
    let first = try Self.trainer(folder("run"))
    first.callbacks = [Watcher(stopAt: 9)]
    _ = try first.run()
    let path = CheckpointStore(folder: folder("run/checkpoints")).path(step: 9)
    let original = try Contents(path)
    let metrics = try fileBytes(folder("run/metrics.csv"))
    var random = SeededGenerator(seed: UInt64(kind) + 1)
    let rounds = fuzzRounds(40)
    var refused = 0
    for _ in 0..<rounds {
      var contents = original
      Self.mutate(&contents, of: kind, &random)
      try FileManager.default.removeItem(atPath: folder("run/checkpoints"))
      try FileManager.default.createDirectory(
        atPath: folder("run/checkpoints"), withIntermediateDirectories: false)
      try writeFile(metrics, to: folder("run/metrics.csv"))
      try contents.write(to: path)
      if try !Self.uses(folder("exported"), folder("run")) { refused += 1 }
    }
    // Of a few, by chance none may be.
    if rounds >= 40 { #expect(refused > 3, "\(refused) of \(rounds) were refused") }
  }
}

import Foundation
import RigLCore
import RigLImages

/// A training step on photos that are read, decoded, cropped and resized while the batch before
/// trains, against the same step on images that lie in memory.
package struct PhotosBench: Sendable {
  /// The network, its batch, and threads.
  package var network = PresetNetwork("mobilenet-v1", batch: 16)
  /// A folder of photos; nil: generated ones.
  package var folder: String?
  /// Steps measured in a round, of each kind.
  package var steps = 8
  /// Rounds, in which the two kinds take turns.
  package var rounds = 5

  /// MobileNet-v1, 16 images a batch.
  package init() {}

  /// Measures.
  package func run(_ report: (Record) throws -> Void) throws {
    var (configuration, input, _) = try network.settings()
    // Weight steps only.
    configuration.method = configuration.method == .dense ? .dense : .static
    let photos = try folder.map { GeneratedPhotos(path: $0) } ?? GeneratedPhotos.make()
    defer { if folder == nil { photos.delete() } }
    let parts = try PhotoFolder(path: photos.path).load(
      training: PhotoTransform(side: input.height, isRandom: true))
    let noise = Noise(
      count: configuration.batchSize, sampleShape: input, classes: parts.train.classes)
    var options = RunOptions()
    options.threads = network.threads
    let read = try Trainer(
      configuration, options: options, data: TrainingData(train: parts.train, test: parts.test))
    let kept = try Trainer(
      configuration, options: options, data: TrainingData(train: noise, test: noise))
    var (readTimes, keptTimes): ([Double], [Double]) = ([], [])
    for _ in 0..<rounds {
      // What was read ahead while the other kind trained is used up before the clock starts, and
      // nothing is read ahead any more when the other's does.
      for _ in 0..<4 { try read.trainNextBatch() }
      readTimes.append(try time(read))
      for _ in 0..<3 { try kept.trainNextBatch() }
      keptTimes.append(try time(kept))
    }
    var record = Record("photos")
    record.add("case", .text(network.preset), title: "preset")
    record.add("batch", .integer(configuration.batchSize), title: "batch")
    record.add("connections", .integer(read.model.connections))
    record.add("threads", .integer(network.threads), title: "threads")
    record.add("photos", .integer(parts.train.count + parts.test.count))
    record.add("photo_bytes", .integer(try photos.meanBytes()), title: "bytes a photo")
    record.add("photos_ms", .number(median(readTimes) * 1e3), title: "photos ms")
    record.add("memory_ms", .number(median(keptTimes) * 1e3), title: "memory ms")
    record.add("ratio", .number(medianRatio(readTimes, keptTimes)), title: "ratio")
    record.add("rounds", .integer(rounds))
    try report(record)
  }

  /// The mean time of a step.
  private func time(_ trainer: Trainer) throws(RigLError) -> Double {
    let total = try seconds { () throws(RigLError) in
      for _ in 0..<steps { try trainer.trainNextBatch() }
    }
    return total / Double(steps)
  }
}

/// A folder of JPEGs of the usual size of a photo in ImageNet, in two classes.
private struct GeneratedPhotos {
  let path: String

  private static let (width, height, count) = (500, 375, 96)

  /// Writes a new folder where temporary files go.
  static func make() throws -> GeneratedPhotos {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("rigl-bench-\(UUID().uuidString)").path
    for index in 0..<count {
      let folder = "\(path)/\(index % 2 == 0 ? "even" : "odd")"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let jpeg = try ImageWriter.jpeg(pixels(index), width: width, height: height)
      try Data(jpeg).write(to: URL(fileURLWithPath: "\(folder)/\(index).jpg"))
    }
    return GeneratedPhotos(path: path)
  }

  func delete() { try? FileManager.default.removeItem(atPath: path) }

  /// The mean size of the files.
  func meanBytes() throws -> Int {
    var (bytes, files) = (0, 0)
    let names = FileManager.default.enumerator(atPath: path)
    while let name = names?.nextObject() as? String {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
      guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
      bytes += (attributes[.size] as? Int) ?? 0
      files += 1
    }
    return bytes / max(files, 1)
  }

  /// Waves of several lengths and some grain, which make a file as large as a photo's.
  private static func pixels(_ index: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(3 * width * height)
    var grain = UInt64(index) &* 0x9E37_79B9_7F4A_7C15 | 1
    for y in 0..<height {
      for x in 0..<width {
        grain = grain &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let rough = Double(grain >> 56) / 12 - 10.6
        for channel in 0..<3 {
          let phase = Double(index * 3 + channel)
          let slow = sin(Double(x) / 61 + phase) * cos(Double(y) / 47 - phase)
          let quick = sin(Double(x * y % 977) / 19 + phase)
          bytes.append(UInt8(max(0, min(255, 128 + 80 * slow + 24 * quick + rough))))
        }
      }
    }
    return bytes
  }
}

import Foundation
import Testing

/// A small task in IDX files: 6 × 6 images of 4 classes, each a bright quarter under so much noise that
/// training never comes to rest.
final class SmallData: Sendable {
  static let trainCount = 600
  static let testCount = 120
  private let folder: TemporaryFolder

  /// The folder with the four files.
  var path: String { folder.path }
  /// The test images.
  var testImages: String { folder("t10k-images-idx3-ubyte") }
  /// Pixels of the test images, one array each.
  let testPixels: [[UInt8]]

  init(trainCount: Int = SmallData.trainCount, classes: Int = 4) throws {
    folder = try TemporaryFolder()
    var state: UInt64 = 7
    func random(below bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var pixelsOfTest: [[UInt8]] = []
    for (name, count) in [("train", trainCount), ("t10k", Self.testCount)] {
      var (pixels, labels): ([UInt8], [UInt8]) = ([], [])
      for _ in 0..<count {
        let label = random(below: classes)
        let image = (0..<36).map { place in
          let quarter = (place / 18) * 2 + (place % 6) / 3
          return UInt8(random(below: 120) + (quarter == label ? 25 : 0))
        }
        pixels += image
        labels.append(UInt8(label))
        if name == "t10k" { pixelsOfTest.append(image) }
      }
      try SmallData.idx([count, 6, 6], pixels).write(
        to: URL(fileURLWithPath: folder("\(name)-images-idx3-ubyte")))
      try SmallData.idx([count], labels).write(
        to: URL(fileURLWithPath: folder("\(name)-labels-idx1-ubyte")))
    }
    testPixels = pixelsOfTest
  }

  private static func idx(_ dimensions: [Int], _ bytes: [UInt8]) -> Data {
    var data: [UInt8] = [0, 0, 8, UInt8(dimensions.count)]
    for dimension in dimensions {
      data += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: dimension >> $0) }
    }
    return Data(data + bytes)
  }

  /// Arguments that train a small network on this data.
  func arguments(_ more: [String] = []) -> [String] {
    [
      "train", "--data", path, "--epochs", "3", "--sparsity", "0.5", "--set", "hidden=[24,16]",
      "--set", "validation=100", "--set", "batch_size=20", "--set", "update_interval=10",
    ] + more
  }

  /// Trains a run in `folder`.
  func train(in folder: String, _ more: [String] = []) throws {
    let outcome = try Rigl.run(arguments(["--output", folder, "--quiet"] + more))
    try #require(outcome.status == 0, "\(outcome.errors)")
  }
}

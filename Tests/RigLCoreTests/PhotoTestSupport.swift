import Foundation
import RigLCore

/// A picture in memory: red, green and blue, row by row.
struct Picture {
  var width: Int
  var height: Int
  var pixels: [UInt8]

  /// Random pixels.
  static func noise(_ width: Int, _ height: Int, seed: UInt64) -> Picture {
    var draws = SeededGenerator(seed: seed)
    return Picture(
      width: width, height: height,
      pixels: (0..<3 * width * height).map { _ in UInt8.random(in: 0...255, using: &draws) })
  }

  /// Soft waves, which JPEG keeps nearly as they are.
  static func waves(_ width: Int, _ height: Int) -> Picture {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<3 {
          let phase = Double(x) / 23 + Double(y) / 31 * Double(c + 1) + Double(c)
          pixels.append(UInt8(128 + 100 * sin(phase)))
        }
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }

  subscript(c: Int, y: Int, x: Int) -> Double { Double(pixels[(y * width + x) * 3 + c]) }

  /// The whole pixels of a part.
  func cropped(left: Int, top: Int, width: Int, height: Int) -> Picture {
    var pixels: [UInt8] = []
    for y in top..<top + height {
      for x in left..<left + width {
        for c in 0..<3 { pixels.append(UInt8(self[c, y, x])) }
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }

  /// Resized bilinearly against aliasing, as a double sum over all pixels: (channel, row, column).
  func resized(to newWidth: Int, _ newHeight: Int) -> [Double] {
    func weights(_ old: Int, _ new: Int) -> [[(place: Int, weight: Double)]] {
      let scale = Double(old) / Double(new)
      let reach = max(scale, 1)
      return (0..<new).map { target in
        let middle = (Double(target) + 0.5) * scale
        let raw = (0..<old).map { max(0, 1 - abs(Double($0) + 0.5 - middle) / reach) }
        let sum = raw.reduce(0, +)
        return raw.indices.filter { raw[$0] > 0 }.map { ($0, raw[$0] / sum) }
      }
    }
    let (across, down) = (weights(width, newWidth), weights(height, newHeight))
    var result: [Double] = []
    for c in 0..<3 {
      for row in down {
        for column in across {
          var sum = 0.0
          for (y, v) in row { for (x, h) in column { sum += v * h * self[c, y, x] } }
          result.append(sum)
        }
      }
    }
    return result
  }
}

extension TemporaryFolder {
  /// The names in a folder below, as sequences of bytes.
  func names(of name: String) throws -> [[UInt8]] {
    try FileManager.default.contentsOfDirectory(atPath: self(name)).map { Array($0.utf8) }
  }

  /// Writes files by path below the folder.
  func write(_ files: [String: [UInt8]]) throws {
    for (name, bytes) in files {
      let url = URL(fileURLWithPath: self(name))
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try writeFile(bytes, to: url.path)
    }
  }
}

extension PixelDataset {
  /// A sample's bytes.
  func bytes(_ sample: Int, in context: SampleContext = SampleContext()) throws -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: sampleShape.count)
    var span = pixels.mutableSpan
    try writePixels(sample, in: context, with: nil, into: &span)
    return pixels
  }
}

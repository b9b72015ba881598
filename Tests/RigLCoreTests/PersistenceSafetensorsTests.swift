import Foundation
import RigLCore
import Testing

@Suite struct SafetensorsTests {
  // MARK: - Round trips

  /// Writes a file with every kind of tensor; returns its bytes.
  private func example(in folder: TemporaryFolder, checksummed: Bool = true) throws -> String {
    let path = folder("example.safetensors")
    var writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init("mask", .uint8, shape: [3]), .init("z", .float32, shape: [2, 3]),
        .init("half", .bfloat16, shape: [1]), .init("offsets", .int64, shape: [2]),
        .init("double", .float64, shape: []), .init("empty", .float32, shape: [0, 7]),
        .init("a", .int32, shape: [3]),
        .init("été \"quoted\" \\ \u{1}\u{1F600}", .int16, shape: [1]),
      ],
      metadata: ["b": "line\nbreak\ttab \"q\" \\ / \u{1F600} \u{0}", "a": "", "é": "ß"],
      checksummed: checksummed)
    try writer.append([Float(1), 2, -0.0], to: "z")  // in pieces, and between others
    try writer.append([Int32.min, 0, .max], to: "a")
    try writer.append([UInt8(1), 0, 255], to: "mask")
    try writer.append([Float(4), .infinity, .leastNonzeroMagnitude], to: "z")
    try writer.append([Int64.min, .max], to: "offsets")
    try writer.append([Double.pi], to: "double")
    try writer.append([Int16(-2)], to: "été \"quoted\" \\ \u{1}\u{1F600}")
    let half = [UInt8(0x80), 0x3F]
    try writer.append(bytes: half.span.bytes, to: "half")
    try writer.finish()
    return path
  }

  @Test func readsWhatItWrote() throws {
    let folder = try TemporaryFolder()
    let path = try example(in: folder)
    let onDisk = try SafetensorsFile(path: path)
    let inMemory = try SafetensorsFile(bytes: fileBytes(path), name: "memory")
    for file in [onDisk, inMemory] {
      #expect(
        try file.float32("z", shape: [2, 3]).map(\.bitPattern)
          == [1, 2, -0.0, 4, Float.infinity, .leastNonzeroMagnitude].map(\.bitPattern))
      #expect(try file.int32("a") == [.min, 0, .max])
      #expect(try file.uint8("mask") == [1, 0, 255])
      #expect(try file.int64("offsets") == [.min, .max])
      #expect(try file.float64("double", shape: []) == [Double.pi])
      #expect(try file.float32("empty", shape: [0, 7]) == [])
      #expect(try file.elements("été \"quoted\" \\ \u{1}\u{1F600}", of: Int16.self) == [-2])
      #expect(try file.bytes("half") == [0x80, 0x3F])
      #expect(file.metadata["b"] == "line\nbreak\ttab \"q\" \\ / \u{1F600} \u{0}")
      #expect(file.metadata["a"] == "" && file.metadata["é"] == "ß")
      #expect(file["half"]?.type == .bfloat16 && file["none"] == nil)
      #expect(file.tensors.count == 8 && file.tensors.first?.name == "a")
      #expect(try file.verifyChecksum())
    }
    #expect(try folder.names() == ["example.safetensors"])
  }

  @Test func readsIntoMemoryOfTheCaller() throws {
    let folder = try TemporaryFolder()
    let file = try SafetensorsFile(path: example(in: folder))
    var buffer = AlignedBuffer<Float>(count: 6)
    try file.read("z", shape: [2, 3], into: &buffer)
    #expect(buffer.array()[3] == 4)
    var small = AlignedBuffer<Float>(count: 5)
    let error = #expect(throws: RigLError.self) { try file.read("z", into: &small) }
    #expect(error?.what.contains("tensor z has 6 elements, expected 5") == true)
    #expect(small.array() == [0, 0, 0, 0, 0])
  }

  @Test func writesBuffersAndSpans() throws {
    let folder = try TemporaryFolder()
    let buffer = AlignedBuffer<Float>([1, 2, 3])
    var writer = try SafetensorsWriter(
      path: folder("x"), tensors: [.init("x", .float32, shape: [5])])
    try writer.append(buffer, to: "x")
    let array: [Float] = [4, 5, 6]
    try writer.append(array.span.extracting(first: 2), to: "x")
    try writer.finish()
    #expect(try SafetensorsFile(path: folder("x")).float32("x") == [1, 2, 3, 4, 5])
    #expect(try !SafetensorsFile(path: folder("x")).verifyChecksum(), "none was asked for")
  }

  /// Spelled out, so that the bytes of a checkpoint cannot change unnoticed.
  @Test func writesTheseBytes() throws {
    let folder = try TemporaryFolder()
    for (order, metadata) in [
      ([0, 1, 2], ["k": "v", "a": "\"\u{1F}"]), ([2, 0, 1], ["a": "\"\u{1F}", "k": "v"]),
    ] {
      let tensors: [SafetensorsTensor] = [
        .init("b", .float32, shape: [1]), .init("a", .uint8, shape: [3]),
        .init("c", .float64, shape: [1, 1]),
      ]
      var writer = try SafetensorsWriter(
        path: folder("x"), tensors: order.map { tensors[$0] }, metadata: metadata)
      for index in order {
        switch index {
        case 0: try writer.append([Float(1)], to: "b")
        case 1: try writer.append([UInt8(7), 8, 9], to: "a")
        default: try writer.append([2.0], to: "c")
        }
      }
      try writer.finish()
      let header =
        #"{"__metadata__":{"a":"\"\u001f","k":"v"},"#
        + #""a":{"dtype":"U8","shape":[3],"data_offsets":[12,15]},"#
        + #""b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"#
        + #""c":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}"#
      let padded = header + String(repeating: " ", count: -header.utf8.count & 7)
      let data: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0x80, 0x3F, 7, 8, 9]
      #expect(try fileBytes(folder("x")) == safetensors(padded, data: data))
    }
  }

  @Test func theChecksumIsTheFilesWithZerosForItsDigits() throws {
    let folder = try TemporaryFolder()
    var bytes = try fileBytes(example(in: folder))
    let key = Array(#""rigl.crc32":""#.utf8)
    let start = try #require(bytes.indices.first { bytes[$0...].starts(with: key) }) + key.count
    let digits = String(decoding: bytes[start..<(start + 8)], as: UTF8.self)
    bytes.replaceSubrange(start..<(start + 8), with: Array("00000000".utf8))
    var crc = UInt32.max  // CRC-32 bit by bit, from its definition
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    #expect(UInt32(digits, radix: 16) == ~crc)
  }

  @Test func withoutFinishThereIsNoFile() throws {
    let folder = try TemporaryFolder()
    do {
      var writer = try SafetensorsWriter(
        path: folder("x"), tensors: [.init("x", .float32, shape: [2])])
      try writer.append([Float(1)], to: "x")
      #expect(try folder.names().count == 1, "the temporary")
    }
    #expect(try folder.names() == [])
  }

  // MARK: - Golden files

  @Test func readsEveryGoldenFile() throws {
    let paths = try GoldenFolder.files()
    #expect(!paths.isEmpty)
    for path in paths {
      let file = try SafetensorsFile(path: path)
      #expect(file.metadata["op"]?.isEmpty == false, "\(path)")
      #expect(!file.tensors.isEmpty, "\(path)")
      for tensor in file.tensors {
        let count =
          switch tensor.type {
          case .float32: try file.float32(tensor.name, shape: tensor.shape).count
          case .float64: try file.float64(tensor.name, shape: tensor.shape).count
          case .int32: try file.int32(tensor.name, shape: tensor.shape).count
          case .int64: try file.int64(tensor.name, shape: tensor.shape).count
          default: try file.uint8(tensor.name, shape: tensor.shape).count
          }
        #expect(count == tensor.count && count == tensor.shape.reduce(1, *), "\(path)")
      }
    }
  }

  @Test func copiesEveryGoldenFile() throws {
    let folder = try TemporaryFolder()
    for path in try GoldenFolder.files() {
      let file = try SafetensorsFile(path: path)
      var writer = try SafetensorsWriter(
        path: folder("copy"), tensors: file.tensors, metadata: file.metadata)
      for tensor in file.tensors {
        let bytes = try file.bytes(tensor.name)
        try writer.append(bytes: bytes.span.bytes, to: tensor.name)
      }
      try writer.finish()
      let copy = try SafetensorsFile(path: folder("copy"))
      #expect(copy.tensors == file.tensors && copy.metadata == file.metadata)
      for tensor in file.tensors {
        #expect(try copy.bytes(tensor.name) == file.bytes(tensor.name), "\(path) \(tensor.name)")
      }
    }
  }

  /// A value that is known from elsewhere: the first golden linear layer is x · W' + b.
  @Test func readsValuesAndNotOnlyBytes() throws {
    let path = "\(GoldenFolder.path)/linear_7x20x11.safetensors"
    guard FileManager.default.fileExists(atPath: path) else { return }  // another golden folder
    let file = try SafetensorsFile(path: path)
    let (x, w) = (
      try file.float32("x", shape: [7, 20]), try file.float32("weight", shape: [11, 20])
    )
    let (b, y) = (try file.float32("bias", shape: [11]), try file.float32("y", shape: [7, 11]))
    for n in 0..<7 {
      for o in 0..<11 {
        let terms = (0..<20).map { Double(x[n * 20 + $0]) * Double(w[o * 20 + $0]) }
        let scale = terms.reduce(Double(b[o].magnitude)) { $0 + $1.magnitude }
        let error = terms.reduce(Double(b[o]), +) - Double(y[n * 11 + o])
        // y was rounded to float once, from float64.
        #expect(error.magnitude <= scale * Double(Float.ulpOfOne), "y[\(n), \(o)]")
      }
    }
  }
}

import Foundation
import RigLCore
import Testing

/// Every way in which a file can be wrong, each with what the error must say.
@Suite struct SafetensorsErrorTests {
  private static func one(_ body: String, name: String = "x") -> String {
    "{\"\(name)\":{\(body)}}"
  }
  private static let good = #""dtype":"F32","shape":[2],"data_offsets":[0,8]"#

  private static let damaged: [(bytes: [UInt8], says: String)] = [
    ([], "0 bytes are too few"),
    ([1, 2, 3], "3 bytes are too few"),
    ([0, 0, 0, 0, 0, 0, 0, 0], "expected '{'"),
    ([3, 0, 0, 0, 0, 0, 0, 0, 123, 125], "does not fit in a file of 10"),
    ([255, 255, 255, 255, 255, 255, 255, 255, 123, 125], "longer than 100000000"),
    ([0, 0, 0, 0, 0, 0, 0, 128, 123, 125], "longer than 100000000"),
    (safetensors("[]"), "expected '{'"),
    (safetensors(" {}"), "expected '{'"),
    (safetensors("{}x"), "something after"),
    (safetensors("{"), "expected '\"'"),
    (safetensors("{}", data: [0]), "1 bytes after the last tensor"),
    (safetensors(one(good)), "cut short: 0 of 8 bytes"),
    (safetensors(one(good), data: Array(repeating: 0, count: 7)), "cut short: 7 of 8 bytes"),
    (safetensors(one(good), data: Array(repeating: 0, count: 9)), "1 bytes after the last tensor"),
    (
      safetensors("{\"x\":{\(good)},\"x\":{\(good)}}", data: Array(repeating: 0, count: 8)),
      "'x' comes twice"
    ),
    (
      safetensors("{\"x\":{\(good)},\"\\u0078\":{\(good)}}", data: Array(repeating: 0, count: 8)),
      "'x' comes twice"
    ),
    (
      safetensors("{\"x\":{\(good)},\"y\":{\(good)}}", data: Array(repeating: 0, count: 8)),
      "tensor y: its data begins at 0, inside another's"
    ),
    (
      safetensors(
        "{\"x\":{\(good)},\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
        data: Array(repeating: 0, count: 8)), "tensor y: its data begins at 4, inside another's"
    ),
    (
      safetensors(
        "{\"x\":{\(good)},\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9,10]}}",
        data: Array(repeating: 0, count: 10)), "tensor y: its data begins at 9, after a hole"
    ),
    (
      safetensors(
        one(#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#),
        data: Array(repeating: 0, count: 12)), "tensor x: its data begins at 4, after a hole"
    ),
    (safetensors(one(#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#)), "are not a range"),
    (safetensors(one(#""dtype":"F32","shape":[2],"data_offsets":[0]"#)), "are not a range"),
    (safetensors(one(#""dtype":"F32","shape":[2],"data_offsets":[0,4,8]"#)), "are not a range"),
    (
      safetensors(one(#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#)),
      "tensor x: 8 bytes for shape [3] of F32, which takes 12"
    ),
    (
      safetensors(one(#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]"#)),
      "tensor x: a shape of [4294967296, 4294967296] is too large"
    ),
    (
      safetensors(one(#""dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]"#)),
      "is too large"
    ),
    (
      safetensors(one(#""dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]"#)),
      "an integer that is too large"
    ),
    (
      safetensors(one(#""dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]"#)),
      "9223372036854775807 bytes for shape [2]"
    ),
    (safetensors(one(#""dtype":"F31","shape":[2],"data_offsets":[0,8]"#)), "unknown dtype F31"),
    (safetensors(one(#""dtype":4,"shape":[2],"data_offsets":[0,8]"#)), "expected '\"'"),
    (safetensors(one(#""shape":[2],"data_offsets":[0,8]"#)), "tensor x: no dtype"),
    (safetensors(one(#""dtype":"F32","data_offsets":[0,8]"#)), "tensor x: no shape"),
    (safetensors(one(#""dtype":"F32","shape":[2]"#)), "tensor x: no data_offsets"),
    (safetensors(one(good + #","shape":[2]"#)), "'shape' comes twice"),
    (safetensors(one(good + #","device":"cpu""#)), "tensor x: unknown key device"),
    (safetensors(one(#""dtype":"F32","shape":[-2]"#)), "expected an unsigned integer"),
    (safetensors(one(#""dtype":"F32","shape":[2.0]"#)), "expected ','"),
    (safetensors(one(#""dtype":"F32","shape":[02]"#)), "expected an unsigned integer"),
    (safetensors(one(#""dtype":"F32","shape":[1e3]"#)), "expected ','"),
    (safetensors(one(#""dtype":"F32","shape":[[2]]"#)), "expected an unsigned integer"),
    (safetensors(one(#""dtype":"F32","shape":2"#)), "expected '['"),
    (safetensors(#"{"x":7}"#), "expected '{'"),
    (safetensors(#"{"__metadata__":{"a":1}}"#), "metadata a: not a string"),
    (safetensors(#"{"__metadata__":{"a":{}}}"#), "metadata a: not a string"),
    (safetensors(#"{"__metadata__":{"a":"","a":""}}"#), "'a' comes twice"),
    (safetensors(#"{"__metadata__":{},"__metadata__":{}}"#), "'__metadata__' comes twice"),
    (safetensors(#"{"__metadata__":{"a":"\ud800"}}"#), "half a surrogate pair"),
    (safetensors(#"{"__metadata__":{"a":"\udc00"}}"#), "half a surrogate pair"),
    (safetensors(#"{"__metadata__":{"a":"\ud83dA"}}"#), "half a surrogate pair"),
    (safetensors(#"{"__metadata__":{"a":"\ud83d\u0041"}}"#), "half a surrogate pair"),
    (safetensors(#"{"__metadata__":{"a":"\x"}}"#), "unknown escape"),
    (safetensors(#"{"__metadata__":{"a":"\u12g4"}}"#), "four hexadecimal digits"),
    (safetensors("{\"__metadata__\":{\"a\":\"\n\"}}"), "a control character"),
    (safetensors(#"{"__metadata__":{"a":"b"#), "a string without an end"),
    (safetensors(#"{"__metadata__":{"a":"b\"#), "a string without an end"),
    (
      [8, 0, 0, 0, 0, 0, 0, 0] + Array("{\"".utf8) + [0xFF, 0xC0] + Array("\":0}".utf8),
      "not UTF-8"
    ),
    (safetensors(String(repeating: #"{"a":"#, count: 10_000)), "unknown key a"),
    (safetensors(String(repeating: "[", count: 10_000)), "expected '{'"),
  ]

  @Test(arguments: damaged.indices)
  func saysWhatIsWrong(index: Int) throws {
    let (bytes, says) = Self.damaged[index]
    let folder = try TemporaryFolder()
    try writeFile(bytes, to: folder("bad.safetensors"))
    for error in [
      #expect(throws: RigLError.self) { try SafetensorsFile(path: folder("bad.safetensors")) },
      #expect(throws: RigLError.self) {
        try SafetensorsFile(bytes: bytes, name: "bad.safetensors")
      },
    ] {
      #expect(error?.kind == .data)
      #expect(error?.what.contains("bad.safetensors: ") == true, "\(error?.what ?? "")")
      #expect(error?.what.contains(says) == true, "\(error?.what ?? ""), expected: \(says)")
    }
  }

  @Test func acceptsWhatOthersMayWrite() throws {
    let spaced =
      "{ \"x\" :\t{ \"shape\" : [ 2 , 1 ] ,\n\"data_offsets\":[0,8],\"dtype\":\"F32\" } } \n"
    let file = try SafetensorsFile(
      bytes: safetensors(spaced, data: [0, 0, 128, 63, 0, 0, 0, 64]), name: "x")
    #expect(try file.float32("x") == [1, 2])
    #expect(try SafetensorsFile(bytes: safetensors("{}"), name: "x").tensors.isEmpty)
    let escaped = #"{"__metadata__":{"\u00e9":"\ud83d\ude00\/\b\f\n\r\t\"\\"}}"#
    #expect(
      try SafetensorsFile(bytes: safetensors(escaped), name: "x").metadata
        == ["é": "😀/\u{8}\u{C}\n\r\t\"\\"])
    // Tensors without elements may lie anywhere between others.
    let empty =
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
      + #""b":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[1,1]},"#
      + #""c":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#
    let three = try SafetensorsFile(bytes: safetensors(empty, data: [5, 6]), name: "x")
    #expect(try three.uint8("c") == [6] && three.float32("b") == [])
  }

  @Test func namesFilesThatCannotBeRead() throws {
    let folder = try TemporaryFolder()
    let missing = #expect(throws: RigLError.self) { try SafetensorsFile(path: folder("none")) }
    #expect(missing?.kind == .missingFile)
    #expect(missing?.what == "\(folder("none")): cannot be read: No such file or directory")
    let other = #expect(throws: RigLError.self) { try SafetensorsFile(path: folder.path) }
    #expect(other?.kind == .missingFile)
    #expect(mkfifo(folder("pipe"), 0o600) == 0)
    let pipe = #expect(throws: RigLError.self) { try SafetensorsFile(path: folder("pipe")) }
    #expect(pipe?.kind == .missingFile, "and does not wait for a writer")
  }

  @Test func namesTensorsThatAreOthersThanExpected() throws {
    let file = try SafetensorsFile(
      bytes: safetensors(Self.one(Self.good), data: Array(repeating: 0, count: 8)), name: "p")
    for (body, what) in [
      ({ _ = try file.float32("y") }, "p: tensor y is not in the file"),
      ({ _ = try file.int32("x") }, "p: tensor x is F32, expected I32"),
      ({ _ = try file.float32("x", shape: [1, 2]) }, "p: tensor x has shape [2], expected [1, 2]"),
      ({ try file.require("x", .float64) }, "p: tensor x is F32, expected F64"),
    ] as [(() throws -> Void, String)] {
      let error = #expect(throws: RigLError.self) { try body() }
      #expect(error?.kind == .data && error?.what == what)
    }
  }

  @Test func noticesAFileThatShrinksWhileItIsOpen() throws {
    let folder = try TemporaryFolder()
    let bytes = safetensors(Self.one(Self.good), data: [0, 0, 128, 63, 0, 0, 0, 64])
    try writeFile(bytes, to: folder("x"))
    let file = try SafetensorsFile(path: folder("x"))
    #expect(truncate(folder("x"), off_t(bytes.count - 3)) == 0)
    let error = #expect(throws: RigLError.self) { try file.float32("x") }
    #expect(error?.kind == .data && error?.what.contains("cut short") == true)
  }
}

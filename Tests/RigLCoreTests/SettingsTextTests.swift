import Foundation
import RigLCore
import Testing

/// What the text of settings is read as.
@Suite struct SettingsTextTests {
  /// Settings of a file.
  private func read(_ yaml: String) throws -> SettingsStack {
    var layers = try SettingsStack()
    try layers.apply(yaml: yaml, path: "c.yaml")
    return layers
  }

  /// The error of a file.
  private func problem(_ yaml: String) -> RigLError? {
    #expect(throws: RigLError.self) { try read(yaml) }
  }

  // MARK: - Numbers

  @Test(arguments: [
    ("seed: 010", 10), ("seed: 0017", 17), ("seed: +5", 5), ("seed: '08'", 8), ("seed: 0", 0),
    ("seed: 18446744073709551615", UInt64.max),
  ])
  func wholeNumbersAreDecimal(yaml: String, expected: UInt64) throws {
    #expect(try read(yaml).configuration().seed == expected)
    var layers = try SettingsStack()
    try layers.set("seed", to: String(yaml.dropFirst(6)))
    #expect(try layers.configuration().seed == expected)
  }

  @Test(arguments: [
    ("0.30000000000000004", 0.30000000000000004), (".5", 0.5), ("5.", 5), ("1e-3", 0.001),
    ("1E+2", 100), ("010", 10), ("010.5", 10.5), ("+.25", 0.25), ("0.1", 0.1),
  ])
  func numbersAreDecimal(text: String, expected: Double) throws {
    #expect(try read("learning_rate: \(text)").configuration().learningRate == expected)
  }

  @Test(arguments: [
    "1:30", "1_000", "0x10", "0b1", "0o17", "1e3", "1.0", ".5", "1 0", ".inf", ".nan", "2020-01-01",
    "true", "~", "''", "[1]", "{a: 1}", "9223372036854775808", "١٢",
  ])
  func whatIsNoWholeNumberNamesLineAndKey(text: String) throws {
    let error = try #require(problem("method: rigl\n\nepochs: \(text)\n"))
    #expect(error.kind == .configuration)
    #expect(error.what.hasPrefix("c.yaml, line 3: epochs: "), "\(error.what)")
    #expect(error.what.hasSuffix("is not a whole number"), "\(error.what)")
    var layers = try SettingsStack()
    #expect(throws: RigLError.self) { try layers.set("epochs", to: text) }
  }

  @Test(arguments: [
    "learning_rate", "weight_decay", "clip_norm", "momentum", "factor", "epsilon",
    "linear_deviation",
  ])
  func whatIsNoFiniteNumberNamesLineAndKey(key: String) throws {
    for text in [
      ".inf", "-.inf", ".NaN", "inf", "nan", "1e999", "1:30.5", "0x1p3", "1_0.5", "[0.1]", "1e",
    ] {
      let error = try #require(problem("seed: 1\n\(key): \(text)\n"))
      #expect(error.what.hasPrefix("c.yaml, line 2: \(key): "), "\(error.what)")
      #expect(error.what.hasSuffix("is not a finite number"), "\(error.what)")
    }
  }

  @Test func anElementsLineIsItsOwn() throws {
    let error = try #require(problem("hidden:\n- 30\n- 0x10\n"))
    #expect(
      error.what == "c.yaml, line 3: hidden: '0x10' in '[30, 0x10]' is not a whole number")
    let nested = try #require(problem("layer_sparsities: {fc1: 0.5, fc2: 1:30}"))
    #expect(nested.what.contains("layer_sparsities: '1:30' in '{fc1: 0.5, fc2: 1:30}'"))
  }

  @Test func aSingleValueIsAListOfOne() throws {
    let settings = try read("hidden: 300\nmilestones: 5\nschedule: step").configuration()
    #expect(settings.hidden == [300])
    #expect(settings.milestones == [5])
    #expect(try read("hidden: []").configuration().hidden.isEmpty)
    #expect(throws: RigLError.self) { try read("hidden: ~") }
    #expect(throws: RigLError.self) { try read("hidden: [[300]]") }
  }

  @Test func wordsAreNotNumbersOrTruths() throws {
    #expect(throws: RigLError.self) { try read("nesterov: y") }
    #expect(throws: RigLError.self) { try read("nesterov: 1") }
    #expect(try read("nesterov: no").configuration().nesterov == false)
    #expect(try read("nesterov: True").configuration().nesterov == true)
    #expect(try read("data_folder: /010").options.dataFolder == "/010")
    #expect(try read("data_folder: 'null'").options.dataFolder?.hasSuffix("/null") == true)
    for nothing in ["", "~", "null", "Null", "NULL"] {
      #expect(try read("train_samples: \(nothing)").configuration().trainSamples == nil)
      #expect(try read("data_folder: \(nothing)").options.dataFolder == nil)
    }
  }

  // MARK: - Kinds

  @Test(arguments: [
    "data", "network", "method", "distribution", "schedule", "optimizer", "initializer",
    "new_weights", "annealing", "augmentation", "data_folder", "start_from", "preset", "keep",
    "threads", "log_every", "checkpoint_every", "seed", "nesterov", "sparsity",
  ])
  func aListNamesItsKey(key: String) throws {
    for value in ["[a, b]", "{a: b}"] {
      let error = try #require(problem("epochs: 1\n\(key): \(value)\n"))
      #expect(error.kind == .configuration)
      #expect(error.what.hasPrefix("c.yaml, line 2: \(key): "), "\(error.what)")
    }
  }

  @Test func keysAreWordsAndThereOnce() throws {
    #expect(problem("epochs: 1\n\"epochs\": 2\n")?.what.contains("'epochs' is there twice") == true)
    #expect(problem("epochs: 1\n? [a]\n: 2\n")?.what.contains("line 2") == true)
    #expect(problem("5: 1\n")?.what.contains("no key '5'") == true)
    #expect(problem("'': 1\n")?.what.contains("line 1") == true)
    #expect(problem("epochs: 1\n<<: {epochs: 2}\n")?.what.contains("line 2") == true)
    #expect(problem("epochs: 1\n---\nepochs: 2\n")?.what.contains("line 2") == true)
    #expect(problem("epochs: 1\n\tseed: 2\n")?.what.contains("line 2") == true)
    #expect(problem("epochs: 1\nseed: \u{1}\n")?.what.contains("line 2") == true)
  }

  @Test func marksAndLineEndsOfOtherEditorsAreRead() throws {
    let settings = try read("\u{FEFF}---\r\nepochs: 3 # so many\r\nhidden:\r\n- 5\r\n")
      .configuration()
    #expect(settings.epochs == 3)
    #expect(settings.hidden == [5])
  }

  // MARK: - What a small text cannot do

  /// Nine levels of nine aliases each.
  private static func bomb(_ last: String) -> String {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<9 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(aliases)]\n"
    }
    return text + last
  }

  @Test(arguments: [bomb(""), bomb("? *a8\n: 1\n"), bomb("hidden: *a8\n"), "hidden: &a [1]\n"])
  func anchorsAreRefusedAtOnce(yaml: String) throws {
    let started = ContinuousClock.now
    #expect(problem(yaml)?.what.contains("no anchors (&NAME) and aliases (*NAME)") == true)
    var layers = try SettingsStack()
    #expect(throws: RigLError.self) { try layers.set("hidden", to: yaml) }
    #expect(ContinuousClock.now - started < .seconds(5))
  }

  /// Few enough that they are parsed, as keys, which are compared.
  @Test func aFewAliasesInKeysAreRefusedToo() throws {
    var text = "a0: &a0 [x, x]\n"
    for level in 1..<8 {
      text += "a\(level): &a\(level) {? [*a\(level - 1), *a\(level - 1)] : x}\n"
    }
    #expect(problem(text)?.what.contains("anchors") == true)
  }

  @Test func starsAndAndsInTextAreText() throws {
    let path = String(repeating: "/a *b &c", count: 2)
    #expect(try read("data_folder: \"\(path)\"").options.dataFolder == path)
    #expect(try read("data_folder: /a*b&c # *x &y").options.dataFolder == "/a*b&c")
  }

  @Test(arguments: ["!!int '3'", "!x 3", "!!binary aGk="])
  func tagsAreRefused(value: String) throws {
    #expect(problem("seed: 1\nepochs: \(value)\n")?.what.hasPrefix("c.yaml, line 2: ") == true)
  }

  @Test func aTextIsAtMostAMegabyte() throws {
    let most = String(repeating: "#", count: (1 << 20) - 1) + "\n"
    #expect(try read(most).configuration() == Configuration())
    #expect(problem(most + "\n")?.what == "c.yaml: larger than 1 MB")
  }

  @Test func manyKeysTakeTheTimeOfMany() throws {
    let pairs = (0..<10_000).map { "fc\($0): 0.5" }
    let started = ContinuousClock.now
    let settings = try read("layer_sparsities: {\(pairs.joined(separator: ", "))}").configuration()
    #expect(settings.layerSparsities.count == pairs.count)
    let error = #expect(throws: RigLError.self) {
      try settings.allocate(
        MLP(hidden: [5]).layers(input: SampleShape(channels: 4), classes: 2)
          .weightLayers)
    }
    #expect(error?.what.contains("9995 others") == true, "\(error?.what ?? "")")
    #expect(ContinuousClock.now - started < .seconds(20))
  }

  @Test func deepTextsAreRefused() throws {
    let deep = String(repeating: "[", count: 100_000)
    #expect(problem("hidden: \(deep)\n")?.what.contains("line 1") == true)
    let allowed = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
    #expect(problem("hidden: \(allowed)\n")?.what.contains("hidden: '[[[[") == true)
  }

  @Test(arguments: [
    "network", "method", "epochs", "data_folder", "preset", "keep", "hidden", "sparsity",
  ])
  func messagesQuoteNoMoreThan80Characters(key: String) throws {
    let word = String(repeating: "x", count: 100_000)
    for value in [word, "[\(word)]", "{\(word): \(word)}", "\"a\\n\(word)\""] {
      do {
        try read("\(key): \(value)").configuration().validate()
        #expect(key == "data_folder", "accepted: \(key)")
      } catch let error as RigLError {
        #expect(error.what.count < 300, "\(error.what.prefix(400))")
        #expect(!error.what.contains("\n"))
      }
    }
    #expect((problem("\(word): 1")?.what.count ?? 1000) < 150)
  }

  /// A file of another's settings can do no more than one's own.
  @Test func theSettingsOfASafetensorsFileAreReadLikewise() throws {
    let folder = try TemporaryFolder()
    let path = folder("bomb.safetensors")
    let writer = try SafetensorsWriter(
      path: path, tensors: [], metadata: ["configuration": Self.bomb("hidden: *a8\n")])
    try writer.finish()
    let started = ContinuousClock.now
    let error = #expect(throws: RigLError.self) { try NetworkImport.configuration(of: path) }
    #expect(error?.kind == .data)
    #expect(error?.what.contains("anchors") == true)
    #expect(ContinuousClock.now - started < .seconds(5))
  }
}

import RigLCore
import Testing

@Suite struct NearestNameTests {
  @Test(arguments: [
    ("sparsty", "sparsity"),  // one letter missing
    ("sparsiity", "sparsity"),  // one too many
    ("spansity", "sparsity"),  // one replaced
    ("spasrity", "sparsity"),  // two swapped: 1 edit, where Levenshtein alone counts 2
    ("intreval", "interval"),
    ("Batch-Size", "batch_size"),  // neither case nor dashes matter
    ("batchsize", "batch_size"),
    ("epochs", "epochs"),
  ])
  func findsTheNameOfFewestEdits(name: String, expected: String) {
    let names = ["interval", "sparsity", "batch_size", "epochs", "seed"]
    #expect(nearest(to: name, in: names) == expected)
  }

  @Test func swappedLettersAreOneEdit() {
    // "abdc" is one swap from "abcd" but two replacements, more than a third of its letters.
    #expect(nearest(to: "abdc", in: ["abxx", "abcd"]) == "abcd")
    #expect(nearest(to: "abdcef", in: ["abcdxf", "abcdef"]) == "abcdef", "one edit beats two")
    #expect(nearest(to: "badcef", in: ["abcdxx", "abxdcef", "abcdef"]) == "abxdcef", "two each")
  }

  @Test(arguments: [
    ("lenet", ["lenet-300-100", "lenet-300-100-paper"]),
    ("lenet300", ["lenet-300-100", "lenet-300-100-paper"]),
    ("wrn", ["wrn-10-2", "wrn-22-2"]),
    ("wrn-22", ["wrn-22-2"]),
    ("cifar", ["cifar10-wrn-22-2"]),
    ("resnet-18", ["resnet-50"]),
    ("dmo", ["demo"]),
  ])
  func whatBeginsLikeANameComesFirst(name: String, expected: [String]) {
    #expect(nearestNames(to: name, in: Preset.all.map(\.name)) == expected)
  }

  @Test(arguments: [
    ("lr", "learning_rate"), ("wd", "weight_decay"), ("bs", "batch_size"),
    ("min_lr", "min_learning_rate"), ("warmup", "warmup_epochs"), ("rate", "learning_rate"),
    ("forever", "update_forever"), ("batch", "batch_size"), ("num_epochs", "epochs"),
    ("warmup_steps", "warmup_epochs"), ("dropout_rate", "dropout"), ("step", "steps"),
    ("train_batch_size", "batch_size"), ("learning_rate_max", "learning_rate"),
    ("optimiser", "optimizer"), ("lerning-rte", "learning_rate"), ("delta_t", nil),
  ])
  func settingsAreFoundByTheirWordsAndInitials(name: String, expected: String?) {
    #expect(nearest(to: name, in: Configuration.Key.allCases.map(\.rawValue)) == expected)
  }

  /// An abbreviation of the field is no name's initials, in whatever order names come.
  @Test func abbreviationsAreTheFields() {
    let names = ["lottery_rounds", "min_learning_rate", "learning_rate"]
    #expect(nearestNames(to: "lr", in: names) == ["learning_rate", "min_learning_rate"])
    #expect(nearestNames(to: "lo-ro", in: names) == ["lottery_rounds"])
    #expect(nearest(to: "lr", in: ["lottery_rounds", "lr"]) == "lr")
  }

  @Test(arguments: ["frobnicate", "xyz", "cnn", "", "-", "_", "ab", "sdee"])
  func nothingNearIsNil(name: String) {
    #expect(nearestNames(to: name, in: ["interval", "sparsity", "epochs", "seed"]).isEmpty)
    #expect(nearest(to: "seed", in: []) == nil)
  }

  /// A third of the letters may be wrong, no more.
  @Test func farNamesAreNotNear() {
    #expect(nearest(to: "abcxyz", in: ["abcdxy"]) == "abcdxy", "2 of 6")
    #expect(nearest(to: "abcxyz", in: ["abqrsz"]) == nil, "3 of 6")
    #expect(nearest(to: "abcxy", in: ["abqry"]) == nil, "2 of 5")
    let manyWords = String(repeating: "a_", count: 40)
    #expect(nearest(to: manyWords + "b", in: [manyWords + "c"]) == manyWords + "c")
  }

  @Test func theErrorListsEveryNameAndItsNearest() {
    let error = RigLError.unknownNames(
      ["lyer2", "fc"], kind: "layer", in: "the sparsity map", valid: ["layer1", "layer2", "fc1"])
    #expect(error.kind == .configuration)
    #expect(
      error.what
        == "unknown layers in the sparsity map: 'lyer2' (nearest: 'layer2'), 'fc' (nearest: 'fc1')")
    #expect(error.hint == "valid names: layer1, layer2, fc1")
    let none = RigLError.unknownNames(["a"], kind: "key", in: "config.yaml", valid: [])
    #expect(none.description == "unknown key in config.yaml: 'a'\n  there is no key to name")
  }
}

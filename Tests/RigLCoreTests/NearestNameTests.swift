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
    ("", "seed"),  // the shortest
    ("epochs", "epochs"),
  ])
  func findsTheNameOfFewestEdits(name: String, expected: String) {
    let names = ["interval", "sparsity", "batch_size", "epochs", "seed"]
    #expect(nearest(to: name, in: names) == expected)
  }

  @Test func swappedLettersAreOneEdit() {
    // "abdc" is one swap from "abcd" but two replacements; "abd" is one deletion from "abdc".
    #expect(nearest(to: "abdc", in: ["abcd", "abd"]) == "abcd", "equally near: the first wins")
    #expect(nearest(to: "abdc", in: ["abxx", "abcd"]) == "abcd", "one edit beats two")
    #expect(
      nearest(to: "badc", in: ["axxc", "abxdc", "abcd"]) == "abxdc", "two each: the first wins")
  }

  @Test func nothingToChooseFromIsNil() {
    #expect(nearest(to: "seed", in: []) == nil)
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

import RigLBench
import Testing

/// Results as JSON, and the numbers they are made of.
@Suite struct RecordTests {
  @Test func jsonKeepsTheOrderAndEscapes() {
    var record = Record("layers")
    record.add("case", .text("a \"b\" \\ \n é"), title: "case")
    record.add("count", .integer(-3))
    record.add("works", .flag(true))
    record.add("nothing", .none)
    record.add("times", .numbers([1, 0.25]))
    #expect(
      record.json == #"{"bench": "layers", "case": "a \"b\" \\ \u000a é", "count": -3, "#
        + #""works": true, "nothing": null, "times": [1.0, 0.25]}"#)
  }

  @Test(arguments: [
    (0.1, "0.1"), (1.0 / 3, "0.333333"), (123_456_789, "123457000.0"), (0, "0.0"), (-2, "-2.0"),
    (1.5e-9, "1.5e-09"), (.infinity, "null"), (.nan, "null"),
  ])
  func jsonHasSixDigits(_ number: Double, _ expected: String) {
    #expect(Record.Value.number(number).json == expected)
  }

  @Test(arguments: [
    (0.0, "0.000"), (0.5, "0.500"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234"),
    (1.3e-7, "1.3e-07"), (.nan, "-"),
  ])
  func peopleSeeThreeDigits(_ number: Double, _ expected: String) {
    #expect(Record.Value.number(number).text == expected)
  }

  @Test func valuesAreFoundByKey() {
    var record = Record("x")
    record.add("key", .integer(7))
    #expect(record["key"] == .integer(7))
    #expect(record["bench"] == .text("x"))
    #expect(record["other"] == nil)
  }

  @Test func medians() {
    #expect(median([5]) == 5)
    #expect(median([3, 1, 2]) == 2)
    #expect(median([4, 1, 3, 2]) == 2.5)
    // Pairs are divided before the median is taken: 2, 10, 0.5.
    #expect(medianRatio([2, 100, 1], [1, 10, 2]) == 2)
  }
}

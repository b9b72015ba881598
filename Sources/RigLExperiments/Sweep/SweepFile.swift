import RigLCore
import Yams

/// A file of experiments: groups of runs, each the product of the values of some settings.
///
///     settings: {preset: lenet-300-100}
///     groups:
///       - settings: {schedule: cosine}
///         each: {method: [static, rigl], sparsity: [0.9, 0.98], seed: [0, 1, 2]}
///     quick:
///       settings: {steps: 100}
///       each: {seed: [0, 1]}
///
/// Settings are those of `rigl train`, `preset` included: of the whole file, then of the group, then
/// one value of each list below `each`, the last list's changing fastest. Without `groups`, the file
/// has one. `quick` says what `--quick` makes of it: its settings come on top of all, and a list of
/// its takes the place of one that a group has.
package struct SweepFile {
  private struct Group {
    var settings: [(key: Node, value: Node)] = []
    var each: [(key: Node, values: [Node])] = []
  }

  /// The path of the file.
  package let path: String
  private var groups: [Group] = []
  private var quick = Group()

  /// The most runs of a file: more are a mistake.
  static let mostRuns = 10_000

  /// Reads a file.
  ///
  /// - Throws: `RigLError(.missingFile)`, `.data` or `.configuration`, with the line.
  package init(path: String) throws(RigLError) {
    try self.init(yaml: try text(of: path, limit: 1 << 20), path: path)
  }

  /// Reads the text of a file.
  init(yaml: String, path: String) throws(RigLError) {
    self.path = path
    guard let file = try SettingsStack.mapping(yaml, path: path) else {
      throw RigLError(.configuration, "\(path): no runs: the file is empty", hint: SweepFile.hint)
    }
    let isOneGroup = file["groups"] == nil
    try requireKeys(
      file, isOneGroup ? ["settings", "each", "quick"] : ["settings", "groups", "quick"])
    let common = try settings(file["settings"])
    if let node = file["quick"] { quick = try group(node, on: []) }
    if isOneGroup {
      groups = [Group(settings: common, each: try lists(file["each"]))]
      return
    }
    guard let list = file["groups"]?.sequence, !list.isEmpty else {
      throw problem(file["groups"], "groups is not a list of groups")
    }
    for node in list { groups.append(try group(node, on: common)) }
  }

  /// The runs.
  ///
  /// - Parameters:
  ///   - isQuick: whether `quick` counts.
  ///   - overrides: settings on top of all, as `--set` gives them.
  package func plan(
    isQuick: Bool = false, overrides: [(key: String, value: String)] = []
  ) throws(RigLError) -> SweepPlan {
    var plan = SweepPlan()
    var count = 0
    for group in groups {
      let each = isQuick ? replacing(group.each) : group.each
      let runs = each.reduce(1) { product, list in
        let (runs, overflow) = product.multipliedReportingOverflow(by: list.values.count)
        return overflow ? .max : runs
      }
      count = count.addingReportingOverflow(runs).overflow ? .max : count + runs
      guard count <= SweepFile.mostRuns else {
        throw RigLError(
          .configuration, "\(path): more than \(SweepFile.mostRuns) runs",
          hint: "Leave out values of some lists.")
      }
      for number in 0..<runs {
        let pairs = group.settings + values(of: each, at: number) + (isQuick ? quick.settings : [])
        plan.add(try run(pairs, overrides))
      }
    }
    return plan
  }

  private func run(
    _ pairs: [(key: Node, value: Node)], _ overrides: [(key: String, value: String)]
  ) throws(RigLError) -> SweepPlan.Run {
    var mapping = Node.Mapping([])
    // The later value counts, with its own place in the file.
    for (index, pair) in pairs.enumerated()
    where !pairs[(index + 1)...].contains(where: { $0.key == pair.key }) {
      mapping[pair.key] = pair.value
    }
    var stack = try SettingsStack()
    try stack.apply(mapping, of: path)
    for (key, value) in overrides {
      if key == Configuration.Key.data.rawValue {
        try stack.set(data: value)
      } else {
        try stack.set(key, to: value)
      }
    }
    do throws(RigLError) {
      return try SweepPlan.Run(stack)
    } catch {
      let run = pairs.map { "\($0.key.oneLine): \($0.value.oneLine)" }.joined(separator: ", ")
      throw RigLError(
        error.kind, "\(path): \(error.what), of the run with \(run)", hint: error.hint)
    }
  }

  /// The lists of a group, some of them those of `quick`.
  private func replacing(_ each: [(key: Node, values: [Node])]) -> [(key: Node, values: [Node])] {
    each.map { list in quick.each.first { $0.key == list.key } ?? list }
  }

  /// The values of a product's run; the last list's change fastest.
  private func values(
    of each: [(key: Node, values: [Node])], at number: Int
  ) -> [(key: Node, value: Node)] {
    var rest = number
    let values = each.reversed().map { list in
      defer { rest /= list.values.count }
      return (key: list.key, value: list.values[rest % list.values.count])
    }
    return values.reversed()
  }

  // MARK: - Reading

  private static let hint =
    "A sweep has settings, and each: {method: [static, rigl], seed: [0, 1]}, or groups of both."

  private func group(
    _ node: Node, on common: [(key: Node, value: Node)]
  ) throws(RigLError) -> Group {
    guard let mapping = node.mapping else { throw problem(node, "a group is no mapping") }
    try requireKeys(mapping, ["settings", "each"])
    return Group(
      settings: common + (try settings(mapping["settings"])), each: try lists(mapping["each"]))
  }

  private func settings(_ node: Node?) throws(RigLError) -> [(key: Node, value: Node)] {
    guard let node, !node.isNothing else { return [] }
    guard let mapping = node.mapping else { throw problem(node, "settings is no mapping") }
    return mapping.map { (key: $0.key, value: $0.value) }
  }

  private func lists(_ node: Node?) throws(RigLError) -> [(key: Node, values: [Node])] {
    guard let node, !node.isNothing else { return [] }
    guard let mapping = node.mapping else { throw problem(node, "each is no mapping of lists") }
    var lists: [(key: Node, values: [Node])] = []
    for (key, value) in mapping {
      guard let values = value.sequence, !values.isEmpty else {
        throw problem(value, "each: \(key.oneLine) is no list of values: \(value.oneLine)")
      }
      lists.append((key, Array(values)))
    }
    return lists
  }

  private func requireKeys(_ mapping: Node.Mapping, _ known: [String]) throws(RigLError) {
    for (key, _) in mapping where !known.contains(key.oneLine) {
      let all = Configuration.Key.allCases.map(\.rawValue) + RunOptions.keys + ["preset"]
      throw RigLError(
        .configuration,
        "\(path)\(key.mark.map { ", line \($0.line)" } ?? ""): there is no key '\(key.oneLine)' here",
        hint: all.contains(key.oneLine)
          ? "Settings stand below settings, lists of their values below each."
          : "Possible: \(known.joined(separator: ", ")).")
    }
  }

  private func problem(_ node: Node?, _ what: String) -> RigLError {
    let line = node?.mark.map { ", line \($0.line)" } ?? ""
    return RigLError(.configuration, "\(path)\(line): \(what)", hint: SweepFile.hint)
  }
}

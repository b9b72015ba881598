import Foundation
import RigLExperiments

/// Records that no training made: for looking at the page, and for its tests.
enum Invented {
  /// A generator of numbers, always the same (SplitMix64).
  struct Generator {
    var state: UInt64
    mutating func next() -> Double {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
    mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + next() } }
  }

  static let gain = [
    "rigl": 0.0, "static": -1.1, "set": -0.45, "dense": 0.6, "pruning": 0.35, "small-dense": -2.2,
    "snfs": -0.2, "snip": -1.3, "granet": 0.25, "lottery": -0.6, "gse": -0.3,
  ]

  static func run(
    _ method: String, _ sparsity: Double, _ seed: Int, multiplier: Int = 1,
    more: [String: String] = [:], points: Int = 150
  ) -> RunRecord {
    var random = Generator(state: UInt64(seed * 1000 + Int(sparsity * 997) + multiplier * 31))
    for byte in method.utf8 { random.state = random.state &* 31 &+ UInt64(byte) }
    let density = method == "dense" ? 1 : 1 - sparsity
    let penalty = method == "dense" ? 0 : 1.6 * sparsity * sparsity / (density + 0.2) * 0.8
    let accuracy =
      0.895 - 0.01 * penalty + 0.01 * (gain[method] ?? -0.5) + 0.0012 * random.normal()
      + (multiplier > 1 ? 0.006 : 0)
    var settings = more
    settings["method"] = method
    settings["seed"] = "\(seed)"
    settings["data"] = "fashion-mnist"
    settings["network"] = settings["network"] ?? "mlp"
    settings["hidden"] = settings["hidden"] ?? "[300, 100]"
    settings["batch_size"] = "100"
    settings["learning_rate"] = "0.2"
    settings["weight_decay"] = "0.0001"
    if method != "dense" { settings["sparsity"] = sparsity == 0.8 ? "0.8" : "\(sparsity)" }
    if multiplier > 1 { settings["multiplier"] = "\(multiplier)" }
    if method == "granet" { settings["initial_sparsity"] = "0.5" }
    let name = "\(method)-\(Int((sparsity * 1000).rounded()))-\(multiplier)x-seed\(seed)"
    return RunRecord(
      name: more.isEmpty ? name : name + "-" + more.values.sorted().joined(separator: "-"),
      state: .finished, settings: settings, program: "0.9.0 (3f2a91c)",
      figures: figures(method, density, accuracy, multiplier, seed, &random),
      history: history(method, density, accuracy, 20_000 * multiplier, points, &random))
  }

  static func figures(
    _ method: String, _ density: Double, _ accuracy: Double, _ multiplier: Int, _ seed: Int,
    _ random: inout Generator
  ) -> RunRecord.Figures {
    var figures = RunRecord.Figures()
    figures.testAccuracy = accuracy
    figures.bestTestAccuracy = accuracy + 0.0004
    figures.testLoss = 0.9 - accuracy * 0.6
    let dense = 532_000.0
    figures.inferenceFLOPs = dense * (density + 0.004)
    let training = [
      "snfs": 2 * density + 1, "pruning": density + 1.6, "granet": 2.5 * density + 0.4,
    ]
    figures.trainingFLOPs =
      dense * 6_000_000 * (training[method] ?? 3 * density + 0.02) * Double(multiplier)
    figures.bytes = Int(dense * 2 * density) + 33_000 + 1640
    figures.positions = 266_200
    figures.connections = method == "small-dense" ? 266_200 : Int(266_200 * density)
    figures.hiddenUnits = 400
    figures.liveUnits = min(400, Int(400 * (0.4 + density * 4)) - Int(random.next() * 8))
    figures.exploredShare = min(1, density * (method == "static" ? 1 : 3.2))
    figures.seconds = (20 + 80 * density) * Double(multiplier) * (1 + 0.02 * random.next())
    figures.wasAlone = seed == 0
    figures.peakMemoryBytes = 90_000_000 + Int(40_000_000 * density)
    return figures
  }

  static func history(
    _ method: String, _ density: Double, _ accuracy: Double, _ steps: Int, _ points: Int,
    _ random: inout Generator
  ) -> RunHistory {
    var history = RunHistory()
    for index in 0...points {
      let share = Double(index) / Double(points)
      var point = RunHistory.Point(step: Int(share * Double(steps)), split: "train")
      let rise = 1 - 1 / (1 + 30 * share)
      point.loss = 2.3 - (2.3 - (0.32 - 0.25 * density)) * rise + 0.02 * random.normal()
      point.accuracy = 0.1 + (accuracy - 0.08) * rise
      point.learningRate = 0.1 + 0.1 * cos(Double.pi * share)
      point.gradientNorm = 0.3 + 2 * (1 - rise) + 0.05 * random.next()
      history.points.append(point)
      guard index > 0, index.isMultiple(of: 5) else { continue }
      point.split = "validation"
      point.accuracy = 0.1 + (accuracy - 0.1) * rise + 0.003 * random.normal()
      history.points.append(point)
    }
    let moves = !["static", "dense", "snip", "small-dense", "lottery"].contains(method)
    for index in 1...points where moves {
      let share = Double(index) / Double(points)
      var update = RunHistory.Update(step: Int(share * 0.75 * Double(steps)))
      let all = Int(266_200 * (method == "pruning" ? 1 - (1 - density) * share : density))
      update.connections = all
      update.moved = Int(Double(all) * 0.15 * (1 - share) + 1)
      update.neverActiveBefore = Int(Double(update.moved ?? 0) * (0.9 - 0.8 * share))
      update.exploredShare = min(1, density * (1 + 2.4 * rise(share)))
      update.liveUnits = 400 - Int(120 * share * (1 - density))
      history.updates.append(update)
    }
    for (index, (outputs, inputs)) in [(300, 784), (100, 300), (10, 100)].enumerated() {
      let share = index == 0 ? density : index == 1 ? min(1, density * 1.1) : 1
      let dead = index == 2 ? 0 : Int(Double(outputs) * 0.3 * (1 - density) * random.next())
      history.layers.append(
        RunHistory.Layer(
          name: "linear\(index + 1)", shape: [outputs, inputs],
          connections: Int(Double(outputs * inputs) * share), positions: outputs * inputs,
          liveUnits: outputs - dead, deadUnits: dead))
    }
    let bins = 20
    history.ages = RunHistory.Ages(
      from: (0..<bins).map { $0 * steps / bins },
      counts: (0..<bins).map { bin in
        !moves
          ? (bin == bins - 1 ? 5000 : 0)
          : bin < 5 ? 0 : Int(900 * random.next()) + (bin == bins - 1 ? 3000 : 10 * bin)
      }, end: steps)
    history.inputMap = inputMap(moves, density, &random)
    return history
  }

  static func rise(_ x: Double) -> Double { 1 - 1 / (1 + 8 * x) }

  static func inputMap(
    _ moves: Bool, _ density: Double, _ random: inout Generator
  ) -> RunHistory.InputMap {
    var counts: [Int] = []
    for y in 0..<28 {
      for x in 0..<28 {
        let (dx, dy) = (Double(x) - 13.5, Double(y) - 13.5)
        let middle = moves ? max(0, 1.8 - (dx * dx + dy * dy) / 90) : 1
        counts.append(Int(300 * density * middle * (0.6 + 0.8 * random.next())))
      }
    }
    return RunHistory.InputMap(width: 28, height: 28, connections: counts)
  }

  /// One run.
  static var one: [RunRecord] { [run("rigl", 0.98, 0)] }

  /// Three methods, four sparsities, three seeds, and dense networks.
  static var several: [RunRecord] {
    var runs: [RunRecord] = []
    for seed in 0..<3 {
      for method in ["rigl", "static", "set"] {
        for sparsity in [0.8, 0.9, 0.95, 0.98] { runs.append(run(method, sparsity, seed)) }
      }
      runs.append(run("dense", 0, seed))
    }
    return runs
  }

  /// A hundred runs of ten methods.
  static var hundred: [RunRecord] {
    var runs: [RunRecord] = []
    let methods = [
      "rigl", "static", "set", "snfs", "snip", "pruning", "granet", "lottery", "small-dense",
    ]
    for seed in 0..<5 {
      for method in methods {
        for sparsity in [0.9, 0.98] { runs.append(run(method, sparsity, seed)) }
      }
      runs.append(run("dense", 0, seed))
      runs.append(run("rigl", 0.98, seed, multiplier: 5))
    }
    return runs
  }

  /// Runs of two networks, failed and unfinished ones, hostile names and missing partners.
  static var troubled: [RunRecord] {
    var runs = several.filter { $0.name != "static-980-1x-seed1" && !$0.name.contains("seed2") }
    runs += [0, 1, 2].flatMap { seed in
      ["rigl", "static"].map {
        run($0, 0.99, seed, more: ["hidden": "[1568, 1568, 1568]"], points: 40)
      }
    }
    var failed = run("set", 0.98, 7)
    failed.name = "<script>alert('x')</script> & \"quotes\" \u{1B}[31m \u{202E} \u{FFFF}"
    failed.state = .failed(
      "the loss is not a number in step 1200 of layer <linear1> & co\nLower it.")
    runs.append(failed)
    var stopped = run("rigl", 0.95, 8)
    stopped.state = .unfinished(step: 12_300, of: 20_000)
    runs.append(stopped)
    var again = run("rigl", 0.95, 0)
    again.name = "zz-again"
    again.figures.testAccuracy = .nan
    runs.append(again)
    return runs
  }
}

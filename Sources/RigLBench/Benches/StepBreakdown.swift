import RigLCore

/// Where the time of a training's weight steps and topology updates goes, against what its stages
/// need at the least.
struct StepBreakdown {
  private let clock: StageClock
  private let peaks: Peaks
  private let step: StageTimes
  private let update: StageTimes?
  private let rounds: Int

  /// Of some weight steps and updates that a clock has measured.
  init(_ clock: StageClock, steps: [StageTimes], updates: [StageTimes], _ peaks: Peaks) {
    (self.clock, self.peaks, rounds) = (clock, peaks, steps.count)
    step = StepBreakdown.middle(of: steps)
    update = updates.isEmpty ? nil : StepBreakdown.middle(of: updates)
  }

  /// The mean of the middle half: stages still add up, and what disturbs a few steps drops out.
  private static func middle(of steps: [StageTimes]) -> StageTimes {
    let sorted = steps.sorted { $0.total < $1.total }
    let cut = sorted.count / 4
    return StageTimes.mean(of: Array(sorted[cut..<sorted.count - cut]))
  }

  // MARK: - Bounds

  /// The time, the bytes, and the least time of some stages of some parts.
  private struct Cost {
    var seconds = 0.0
    var bytes = 0.0
    /// 0 where no stage has a bound.
    var bound = 0.0

    var shareOfBound: Record.Value {
      bound > 0 && seconds > 0 ? .number(bound / seconds) : .none
    }

    var fields: [Record.Field] {
      [
        Record.Field("ms", .number(seconds * 1e3)), Record.Field("bytes", .number(bytes)),
        Record.Field("bound_ms", bound > 0 ? .number(bound * 1e3) : .none),
        Record.Field("share_of_bound", shareOfBound),
      ]
    }
  }

  private func cost(
    _ times: StageTimes, _ parts: some Sequence<Int>, _ stages: some Sequence<StepStage>
  ) -> Cost {
    var cost = Cost()
    for part in parts {
      for stage in stages {
        let seconds = times[part, stage]
        cost.seconds += seconds
        guard seconds > 0, let work = clock.parts[part].work[stage] else { continue }
        cost.bytes += work.bytes
        cost.bound += peaks.bound(work, footprint: clock.footprint)
      }
    }
    return cost
  }

  /// Costs by stage, of those that took any time.
  private func stages(_ times: StageTimes, _ parts: some Collection<Int>) -> Record.Value {
    .object(
      StepStage.allCases.compactMap { stage in
        let cost = cost(times, parts, CollectionOfOne(stage))
        return cost.seconds > 0 ? Record.Field(stage.name, .object(cost.fields)) : nil
      })
  }

  // MARK: - Results

  /// Adds the sums over all layers.
  func addTotals(to record: inout Record) {
    record.add("clocked_rounds", .integer(rounds))
    record.add("clocked_step_ms", .number(step.total * 1e3), title: "with clock")
    record.add("clocked_update_ms", update.map { .number($0.total * 1e3) } ?? .none)
    record.add("stages", stages(step, clock.parts.indices))
    record.add("update_stages", update.map { stages($0, clock.parts.indices) } ?? .none)
  }

  /// The same sums as rows of a table: those of an update where a weight step has none.
  var stageTable: [Record] {
    StepStage.allCases.compactMap { stage in
      let parts = clock.parts.indices
      let (own, moving) = (
        cost(step, parts, CollectionOfOne(stage)),
        update.map { cost($0, parts, CollectionOfOne(stage)) }
      )
      guard own.seconds > 0 || moving?.seconds ?? 0 > 0 else { return nil }
      let shown = own.seconds > 0 ? own : moving ?? own
      var record = Record("step_stage", isOnlyForPeople: true)
      record.add(
        "stage", .text(stage.name.replacing("_", with: " ")), title: "stage", width: 15)
      record.add("ms", own.seconds > 0 ? .number(own.seconds * 1e3) : .none, title: "ms")
      record.add("share", .number(own.seconds / step.total), title: "of step")
      record.add("of_bound", shown.shareOfBound, title: "of bound")
      record.add(
        "bound", shown.bound > 0 ? .number(shown.bound * 1e3) : .none, title: "bound ms")
      record.add(
        "megabytes", shown.bytes > 0 ? .number(shown.bytes / 1e6) : .none, title: "MB", width: 6)
      record.add(
        "update_ms", moving.map { .number($0.seconds * 1e3) } ?? .none, title: "update ms")
      return record
    }
  }

  /// A result for each layer, and for what belongs to none, the longest first.
  var layers: [Record] {
    let parts = clock.parts.indices.filter { part in
      step.sum(of: part) > 0 || update.map { $0.sum(of: part) > 0 } ?? false
    }
    return parts.sorted { step.sum(of: $0) > step.sum(of: $1) }.map(layer)
  }

  private func layer(_ index: Int) -> Record {
    let part = clock.parts[index]
    let whole = cost(step, CollectionOfOne(index), StepStage.allCases)
    func milliseconds(_ stages: StepStage...) -> Double {
      stages.reduce(0) { $0 + step[index, $1] * 1e3 }
    }
    let kernel = milliseconds(.forwardKernel, .backwardKernel)
    let pack = milliseconds(.forwardPack, .backwardPack)
    let unpack = milliseconds(.forwardUnpack, .backwardUnpack)
    var record = Record("step_layer")
    let width = clock.parts.map(\.name.count).max() ?? 0
    record.add("layer", .text(part.name), title: "layer", width: width)
    record.add("place", .integer(index))
    record.add("shape", part.shape.map { .integers($0) } ?? .none)
    record.add(
      "form", .text(part.form), title: "shape", width: clock.parts.map(\.form.count).max() ?? 0)
    record.add("output_pixels", .integer(part.pixels))
    record.add("connections", part.connections.map { .integer($0) } ?? .none)
    record.add("ms", .number(whole.seconds * 1e3), title: "ms")
    record.add("share_of_bound", whole.shareOfBound, title: "of bound")
    record.add("kernel_ms", .number(kernel), title: "kernel")
    record.add("pack_ms", .number(pack), title: "pack")
    record.add("unpack_ms", .number(unpack), title: "unpack")
    record.add(
      "other_ms", .number(whole.seconds * 1e3 - kernel - pack - unpack), title: "other")
    let growth = update.map { Record.Value.number($0[index, .growth] * 1e3) } ?? .none
    record.add("growth_ms", growth, title: "growth")
    record.add("sparsity", part.sparsity.map { .number($0) } ?? .none, title: "sparsity")
    record.add("bound_ms", whole.bound > 0 ? .number(whole.bound * 1e3) : .none)
    record.add("bytes", .number(whole.bytes))
    record.add("stages", stages(step, CollectionOfOne(index)))
    record.add("update_stages", update.map { stages($0, CollectionOfOne(index)) } ?? .none)
    return record
  }
}

extension StepPart {
  /// "3x3 64-128", "5 64-128", "784-300"; "-" without weights.
  fileprivate var form: String {
    guard let shape else { return "-" }
    let sizes = "\(shape[1])-\(shape[0])"
    let kernel = shape.dropFirst(2).map { "\($0)" }.joined(separator: "x")
    return kernel.isEmpty ? sizes : "\(kernel) \(sizes)"
  }

  /// The share of weights that do not exist.
  fileprivate var sparsity: Double? {
    guard let shape, let connections else { return nil }
    return 1 - Double(connections) / Double(shape.reduce(1, *))
  }
}

extension Peaks {
  /// The least time of a stage: its multiply-adds, or its bytes, whatever takes longer. A cache may
  /// still have what was just touched, if all that passes by is a quarter of it at most, and what was
  /// touched a pass ago, if it holds all that a step touches; else bytes come from main memory.
  package func bound(_ work: StageWork, footprint: Double) -> Double {
    func seconds(_ bytes: Double, passingBy set: Double) -> Double {
      bytes / bandwidth(of: level(holding: Int(set)))
    }
    return max(
      work.flops / flops,
      seconds(work.nearBytes, passingBy: 4 * work.nearSet)
        + seconds(work.farBytes, passingBy: footprint))
  }
}

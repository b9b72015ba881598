/// What happened while the runs trained: learning curves and topology updates.
enum TrainingSections {
  static func curves(of part: Part) -> Markup {
    let split = accuracySplit(of: part)
    let thin =
      part.groups.contains { part.drawn($0).count > 1 }
      ? " Thin: single seeds; bold: their mean." : ""
    let dense =
      part.groups.contains { $0.method == "dense" } && part.groups.count > 1
      ? " Dense networks are drawn beside each sparsity." : ""
    let figures = [
      CurveFigure(
        title: "\(split.prefix(1).uppercased() + split.dropFirst()) accuracy",
        axis: "\(split) accuracy, %",
        caption: "How fast, and how far, training gets.\(thin)\(dense) The first twentieth of the "
          + "steps may lie outside.",
        leavesOutTheBeginning: true, range: .ofBulk,
        points: { $0.curve(split) { $0.accuracy.map { 100 * $0 } } }),
      CurveFigure(
        title: "Training loss", axis: "training loss",
        caption: "A loss far below the others’ at no better accuracy is overfitting; one that "
          + "stays high, a network that cannot fit the data.",
        leavesOutTheBeginning: true, range: .ofOrders,
        points: { $0.curve("train", \.loss) }),
      CurveFigure(
        title: "Gradient norm", axis: "norm of the gradient",
        caption: "Before clipping. A gradient that soon vanishes leaves a network where it is; "
          + "spikes after topology updates are new connections settling.",
        leavesOutTheBeginning: true, range: .ofOrders,
        points: { $0.curve("train", \.gradientNorm) }),
    ]
    let rates = [LearningRateFigure.figure(of: part)].compactMap(\.self)
    return Figure.arranged(figures.compactMap { $0.figure(of: part) } + rates, in: part)
  }

  /// The split that most is learnt from: held-out samples, if there are any.
  private static func accuracySplit(of part: Part) -> String {
    let runs = part.groups.flatMap(part.drawn)
    return ["validation", "test"].first { split in
      runs.contains { $0.curve(split, \.accuracy).count > 1 }
    } ?? "train"
  }

  static func topology(of part: Part) -> Markup {
    let figures = [
      CurveFigure(
        title: "Connections moved", axis: "moved at an update, % of connections",
        caption: "How much of the network each topology update replaces: it falls with the drop "
          + "fraction.",
        range: .fromZero,
        points: { $0.updates { share($0.moved, of: $0.connections) } }),
      CurveFigure(
        title: "Never active before", axis: "of those moved, % to new places",
        caption: "High: updates still try places that never had a connection. Low: connections "
          + "go back and forth between known places.",
        range: .fromZero,
        points: { $0.updates { share($0.neverActiveBefore, of: $0.moved) } }),
      CurveFigure(
        title: "Explored", axis: "ever active, % of positions",
        caption: "How much of the dense network was tried at some time. Where the line is flat "
          + "the search has ended.",
        range: .fromZero,
        points: { $0.updates { $0.exploredShare.map { 100 * $0 } } }),
      CurveFigure(
        title: "Active connections", axis: "active connections",
        caption: "Methods that prune lose connections as they train; others keep their number.",
        points: { run in
          let curve = run.updates { $0.connections.map(Double.init) }
          return Set(curve.map(\.value)).count > 1 ? curve : []
        }),
      CurveFigure(
        title: "Live units", axis: "live units",
        caption: "Units that a path of connections joins to inputs and outputs. Where the line "
          + "falls, the network narrows itself.",
        points: { $0.updates { $0.liveUnits.map(Double.init) } }),
    ]
    let all =
      (figures + [gradientFlow]).compactMap { $0.figure(of: part) }
      + [AgesFigure.figure(of: part)].compactMap(\.self)
    return Figure.arranged(all, in: part)
  }

  /// The norm of the gradient at the start and after each update.
  private static var gradientFlow: CurveFigure {
    CurveFigure(
      title: "Gradient flow", axis: "norm of the gradient",
      caption:
        "Of the first batch, and of the first weight step after each topology update. A line that "
        + "rises after the start: moved connections let more gradient through than those drawn.",
      range: .ofOrders,
      points: { run in
        let start = run.curve(GradientFlow.splits[0].rawValue, \.gradientNorm)
        let later = run.curve(GradientFlow.splits[1].rawValue, \.gradientNorm)
        return start + later.filter { point in !start.contains { $0.step == point.step } }
      })
  }

  private static func share(_ some: Int?, of all: Int?) -> Double? {
    guard let some, let all, all > 0 else { return nil }
    return 100 * Double(some) / Double(all)
  }
}

/// How old the connections are at the end of training.
enum AgesFigure {
  static func figure(of part: Part) -> Figure? {
    var shown: Set<String> = []
    let panels = part.facets.compactMap { facet -> Figure.Panel? in
      let groups = facet.groups.compactMap { group in
        part.network(of: group)?.ages.flatMap(Ages.init).map { (group, $0) }
      }
      guard !groups.isEmpty else { return nil }
      shown.formUnion(groups.map(\.0.seriesName))
      let plot = plot(of: groups, in: part, title: facet.title)
      return Figure.Panel(title: facet.title, picture: plot.svg)
    }
    guard !panels.isEmpty else { return nil }
    return Figure(
      title: "Ages of connections", series: part.legend(of: shown), panels: panels,
      caption: "Far right: connections there from the start. Far left: grown by the last updates, "
        + "with little time to learn." + part.networksSentence)
  }

  /// The shares of connections by age, percent.
  private struct Ages {
    var bounds: [Int]
    var shares: [Double]
    /// The greatest age.
    var end: Int { bounds[bounds.count - 1] }

    /// The ages of a run's connections; nil: there are none.
    init?(_ ages: RunHistory.Ages) {
      let all = ages.counts.reduce(0, +)
      guard all > 0, let last = ages.from.last, ages.from.count == ages.counts.count else {
        return nil
      }
      bounds = ages.from + [max(ages.end, last)]
      shares = ages.counts.map { 100 * Double($0) / Double(all) }
    }
  }

  private static func plot(of groups: [(RunGroup, Ages)], in part: Part, title: String?) -> Plot {
    let lengths = groups.map(\.1.end)
    // As in learning curves: steps would squeeze a training that is much shorter than another.
    let isOfShares = (lengths.max() ?? 0) > 2 * (lengths.min() ?? 0)
    func place(_ ages: Ages) -> [Double] {
      ages.bounds.map { isOfShares ? 100 * Double($0) / Double(max(ages.end, 1)) : Double($0) }
    }
    var plot = Plot(
      x: Axis(
        isOfShares ? "age, % of the training" : "age, weight steps",
        covering: groups.flatMap { place($0.1) }, length: Plot.across, direction: .horizontal,
        room: 0.02, startsAtLeast: true,
        label: short),
      y: Axis(
        "connections, %", covering: [0] + groups.flatMap(\.1.shares), length: Plot.upward,
        direction: .vertical, startsAtLeast: true),
      label: "Ages of connections" + (title.map { ", \($0)" } ?? ""))
    for (group, ages) in groups {
      let bounds = place(ages)
      var outline = [(x: bounds[0], y: 0.0)]
      for (bin, share) in ages.shares.enumerated() {
        outline += [(bounds[bin], share), (bounds[bin + 1], share)]
      }
      outline.append((bounds[ages.shares.count], 0))
      let filled: Markup = groups.count == 1 ? " filled" : ""
      plot.draw(
        """
        <g class="\(part.style(of: group).classes)"><title>\(group.name)</title>\
        <path class="l\(filled)" d="\(plot.path(outline))"/></g>
        """)
    }
    return plot
  }
}

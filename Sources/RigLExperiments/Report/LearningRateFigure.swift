import RigLCore

/// The learning rate over the steps: one line for each schedule, whatever methods and sparsities have it.
enum LearningRateFigure {
  private struct Schedule {
    var points: [CurveFigure.Point]
    /// The names of the series that have it, and the first one's style.
    var names: [String]
    var style: SeriesStyle
  }

  static func figure(of part: Part) -> Figure? {
    let all = schedules(of: part)
    guard !all.isEmpty else { return nil }
    var plot = Plot(
      x: Axis(
        "weight steps", covering: all.flatMap { $0.points.map { Double($0.step) } },
        length: Plot.across, direction: .horizontal, room: 0.02, startsAtLeast: true, label: short),
      y: Axis(
        "learning rate", covering: [0] + all.flatMap { $0.points.map(\.value) },
        length: Plot.upward, direction: .vertical, startsAtLeast: true),
      label: "Learning rate")
    for schedule in all {
      let points = CurveFigure.thinned(schedule.points, to: 100)
      plot.draw(
        """
        <g class="\(schedule.style.classes)"><title>\(firstOf(schedule.names, most: 12))</title>\
        <path class="l" d="\(plot.path(points.map { (Double($0.step), $0.value) }))"/></g>
        """)
    }
    return Figure(
      title: "Learning rate", series: part.legend(of: Set(all.map { $0.names[0] })),
      panels: [Figure.Panel(picture: plot.svg)], caption: caption(all))
  }

  private static func caption(_ all: [Schedule]) -> String {
    let shared = all.filter { $0.names.count > 1 }.map { schedule in
      " The line of \(schedule.names[0]) is that of \(firstOf(Array(schedule.names.dropFirst()))), too."
    }
    return "How large a step is. Where it falls, accuracy often rises at once: methods are only "
      + "comparable under the same schedule." + shared.joined()
  }

  /// The schedules that occur, in the order of the series.
  private static func schedules(of part: Part) -> [Schedule] {
    var all: [Schedule] = []
    for series in part.series {
      for group in series.groups {
        let curves = part.drawn(group).map { $0.curve("train", \.learningRate) }
        guard let points = curves.first(where: { $0.count > 1 }) else { continue }
        let known = all.firstIndex { schedule in
          schedule.points.elementsEqual(points) { $0.step == $1.step && $0.value == $1.value }
        }
        if let known {
          if !all[known].names.contains(series.name) { all[known].names.append(series.name) }
        } else {
          all.append(Schedule(points: points, names: [series.name], style: series.style))
        }
      }
    }
    return all
  }
}

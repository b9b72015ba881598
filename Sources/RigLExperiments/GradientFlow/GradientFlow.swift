import RigLCore

/// The norms of a run's gradient: of the first batch, and after each topology update.
package enum GradientFlow {
  /// A norm.
  package struct Point: Hashable, Sendable, Encodable {
    /// Prunings of a lottery ticket so far; nil of a training without rounds.
    package let round: Int?
    /// Weight steps taken before the gradient's.
    package let step: Int
    /// `initialisation` or `after_update`.
    package let kind: String
    /// The Euclidean norm of the mean gradient of all parameters: active connections, biases and
    /// batch-norms.
    package let norm: Double
  }

  /// The splits of rows of metrics that have such a norm, in the order in which they come at one step.
  package static let splits: [MetricsRow.Split] = [.initialisation, .afterUpdate]

  /// Reads the norms of a run, in the order of its training.
  ///
  /// - Throws: `RigLError(.data)` for a run that keeps none, `.missingFile` and `.data` for one that
  ///   cannot be read.
  package static func read(_ run: String) throws(RigLError) -> [Point] {
    let folder = try RunFolder.open(run)
    let rows =
      FileSystem.item(folder.metricsPath) == .nothing
      ? [] : try MetricsLog.rows(at: folder.metricsPath)
    let points = rows.compactMap { row in
      splits.contains(row.split)
        ? row.gradientNorm.map {
          Point(round: row.round, step: row.step, kind: row.split.rawValue, norm: $0)
        } : nil
    }
    guard !points.isEmpty else {
      throw RigLError(
        .data, "\(folder.path): its metrics have no norms of the gradient",
        hint: "rigl train --set track_gradient_norm=true keeps them.")
    }
    return points
  }
}

extension GradientFlow {
  /// The norms of runs as a CSV file.
  package static func csv(_ runs: [(run: String, points: [Point])]) -> String {
    var lines = [CSVText.line(["run", "round", "step", "kind", "norm"])]
    for (run, points) in runs {
      for point in points {
        lines.append(
          CSVText.line([
            run, point.round.map { "\($0)" } ?? "", "\(point.step)", point.kind, "\(point.norm)",
          ]))
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }
}

import RigLCore

/// A landscape as a CSV file: a line for each point of each path.
package enum LandscapeFile {
  static let header = [
    "t", "path", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "first_run",
    "second_run",
  ]

  /// The name of the file in a run's folder on the way to another run.
  package static func name(towards run: String) -> String { "landscape-\(run).csv" }

  /// The text of the file.
  package static func csv(_ landscape: Landscape) -> String {
    var lines = [CSVText.line(header)]
    for curve in landscape.curves {
      for point in curve.points {
        let numbers = [
          point.trainLoss, point.trainAccuracy, point.testLoss, point.testAccuracy,
        ]
        lines.append(
          CSVText.line(
            ["\(point.t)", curve.path.rawValue] + numbers.map { "\($0)" }
              + [landscape.first, landscape.second]))
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// Reads a file.
  ///
  /// - Throws: `RigLError(.missingFile)`; `.data` for what is no landscape.
  package static func read(_ path: String) throws(RigLError) -> Landscape {
    guard let rows = CSVText.rows(try text(of: path, limit: 1 << 26)) else {
      throw RigLError(.data, "\(path): a quotation mark is not closed")
    }
    guard rows.first?.cells == header else {
      throw RigLError(
        .data, "\(path): line 1: not the columns of a landscape (\(CSVText.line(header)))",
        hint: "rigl landscape writes such files.")
    }
    var landscape: Landscape?
    for row in rows.dropFirst() {
      let (point, curve, names) = try line(row, path)
      var joined = landscape ?? Landscape(first: names[0], second: names[1], curves: [])
      guard [joined.first, joined.second] == names else {
        throw RigLError(.data, "\(path): line \(row.line): other runs than in the lines before")
      }
      if joined.curves.last?.path != curve {
        joined.curves.append(Landscape.Curve(path: curve, points: []))
      }
      joined.curves[joined.curves.count - 1].points.append(point)
      landscape = joined
    }
    guard let landscape, landscape.curves.allSatisfy(\.isWhole),
      Set(landscape.curves.map(\.path)).count == landscape.curves.count
    else {
      throw RigLError(
        .data, "\(path): the points of a path do not lead from t = 0 to t = 1",
        hint: "rigl landscape writes such files.")
    }
    return landscape
  }

  private static func line(
    _ row: CSVText.Row, _ path: String
  ) throws(RigLError) -> (Landscape.Point, LandscapePath, [String]) {
    func problem(_ what: String) -> RigLError {
      RigLError(.data, "\(path): line \(row.line): \(what)")
    }
    guard row.cells.count == header.count else {
      throw problem("\(row.cells.count) cells, expected \(header.count)")
    }
    guard let curve = LandscapePath(rawValue: row.cells[1]) else {
      throw problem("there is no path '\(row.cells[1])'")
    }
    var numbers: [Double] = []
    for index in [0, 2, 3, 4, 5] {
      guard let number = Double(row.cells[index]), number.isFinite else {
        throw problem("\(header[index]) is '\(row.cells[index])'")
      }
      numbers.append(number)
    }
    let point = Landscape.Point(
      t: numbers[0], trainLoss: numbers[1], trainAccuracy: numbers[2], testLoss: numbers[3],
      testAccuracy: numbers[4])
    return (point, curve, Array(row.cells.suffix(2)))
  }

  /// The landscapes in run folders, and in files that are named.
  ///
  /// - Parameters:
  ///   - paths: runs, folders of runs, sweeps; tables have no landscapes.
  ///   - files: files of landscapes.
  /// - Returns: the landscapes, each once, and those of folders that could not be read.
  /// - Throws: as ``read(_:)`` for a file that is named.
  package static func collect(
    in paths: [String], _ files: [String]
  ) throws(RigLError) -> (landscapes: [Landscape], faults: [RunCollection.Fault]) {
    var (landscapes, faults): ([Landscape], [RunCollection.Fault]) = ([], [])
    for file in files { landscapes.append(try read(file)) }
    for folder in paths.flatMap({ (try? RunCollection.folders($0)) ?? [] }) {
      for name in (try? folderNames(at: folder)) ?? []
      where name.hasPrefix("landscape") && name.hasSuffix(".csv") {
        do throws(RigLError) {
          landscapes.append(try read("\(folder)/\(name)"))
        } catch {
          faults.append(
            RunCollection.Fault(path: "\(folder)/\(name)", loss: .landscape, error: error))
        }
      }
    }
    var seen: Set<Landscape> = []
    return (landscapes.filter { seen.insert($0).inserted }, faults)
  }
}

extension Landscape.Curve {
  /// Whether it leads from one run to the other.
  fileprivate var isWhole: Bool {
    points.count >= 2 && points.first?.t == 0 && points.last?.t == 1
      && zip(points, points.dropFirst()).allSatisfy { $0.t < $1.t }
  }
}

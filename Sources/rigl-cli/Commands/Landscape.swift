import ArgumentParser
import RigLCore
import RigLExperiments

/// `rigl landscape`
struct LandscapeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "landscape",
    abstract: "Measure the loss along paths between two runs' weights.",
    discussion: """
      Both runs are of the same network, samples and loss. A point of a path has the connections that \
      either run has, with weight 0 where one has none; biases and batch-norm's parameters move along. \
      The linear path is straight; the Bézier curve has a control point, the middle at first, that is \
      trained by SGD to a low loss along it. Batch-norm's running averages are estimated anew at each \
      point between the ends, by a pass over the training samples. The barrier is the greatest height \
      of the loss above the straight line between the ends. rigl report draws the file, if it is in a \
      run's folder or named by --landscape.
      """)

  @Argument(help: ArgumentHelp("The run at t = 0.", valueName: "run"))
  var first: String

  @Argument(help: ArgumentHelp("The run at t = 1.", valueName: "other-run"))
  var second: String

  @Option(help: ArgumentHelp("The paths: linear, bezier or both.", valueName: "name"))
  var path = Paths.both

  @Option(help: ArgumentHelp("Points of each path, its ends included.", valueName: "n"))
  var points = LandscapeOptions().points

  @Option(
    help: ArgumentHelp(
      "Training and test samples that are measured; all if not given.", valueName: "n"))
  var samples: Int?

  @Option(help: ArgumentHelp("Steps of the training of the curve's control point.", valueName: "n"))
  var steps = LandscapeOptions().steps

  @Option(
    help: ArgumentHelp(
      "The learning rate of the first of them; it falls to 0 by a cosine.", valueName: "x"))
  var learningRate = LandscapeOptions().learningRate

  @Option(
    help: ArgumentHelp(
      "Samples in a batch; as in the first run's training if not given.", valueName: "n"))
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "The seed of batches, of places on the curve, and of which samples are measured.",
      valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("The folder of the data's files.", valueName: "folder"))
  var dataFolder: String?

  @Option(
    help: ArgumentHelp(
      "The file; RUN/landscape-OTHER-RUN.csv if not given. An older one is replaced.",
      valueName: "file.csv"))
  var output: String?

  @OptionGroup var threads: ThreadsArguments
  @OptionGroup var printing: PrintingArguments

  /// The paths that are measured.
  enum Paths: String, CaseIterable, ExpressibleByArgument {
    case linear, bezier, both

    var all: [LandscapePath] {
      LandscapePath(rawValue: rawValue).map { [$0] } ?? LandscapePath.allCases
    }
  }

  private struct Result: Encodable {
    let file: String
    let runs: [String]
    /// Connections of each run, and those that either has.
    let connections: [Int]
    let unionConnections: Int
    let trainSamples: Int
    let testSamples: Int
    let paths: [Curve]

    struct Curve: Encodable {
      let path: LandscapePath
      let trainBarrier: Double
      let testBarrier: Double
      let points: [Landscape.Point]
    }
  }

  func run() throws {
    let file =
      output
      ?? "\(RunFolder.trimmed(first))/"
      + LandscapeFile.name(towards: LandscapeMeasurement.name(of: second))
    guard !RunFolder.owns(file) else {
      throw RigLError(
        .configuration, "--output \(file): a file of the run itself", hint: "Choose another name.")
    }
    let measurement = try LandscapeMeasurement(first, second, try options())
    let isShown = Terminal.standardError.isInteractive && !printing.quiet && !printing.json
    if isShown {
      measurement.progress = { done, all in
        Output.error.tryWrite("\r\(percent(Double(done) / Double(all), 0)) measured\u{1B}[K")
      }
    }
    defer { if isShown { Output.error.tryWrite("\r\u{1B}[K") } }
    let landscape = try measurement.measure()
    try AtomicFile.write(LandscapeFile.csv(landscape), to: file)
    let result = Result(
      file: file, runs: [landscape.first, landscape.second],
      connections: [measurement.connections.first, measurement.connections.second],
      unionConnections: measurement.connections.union, trainSamples: measurement.samples.train,
      testSamples: measurement.samples.test,
      paths: landscape.curves.map { curve in
        Result.Curve(
          path: curve.path, trainBarrier: curve.barrier(\.trainLoss),
          testBarrier: curve.barrier(\.testLoss), points: curve.points)
      })
    try printing.print(
      result, orText: text(result, landscape, width: Terminal.standardOutput.columns))
  }

  private func options() throws -> LandscapeOptions {
    var layers = try SettingsStack()
    try threads.given.apply(to: &layers)
    var options = LandscapeOptions()
    (options.paths, options.points, options.samples) = (path.all, points, samples)
    (options.steps, options.learningRate, options.batchSize) = (steps, learningRate, batchSize)
    (options.seed, options.dataFolder, options.threads) = (seed, dataFolder, layers.options.threads)
    return options
  }

  private func text(_ result: Result, _ landscape: Landscape, width: Int) -> String {
    var table = Table([
      .word("path"), .word("samples", rank: 4), .number("t = 0", rank: 2),
      .number("t = 1", rank: 1), .number("highest", rank: 3), .number("at t", rank: 0),
      .number("barrier", rank: 5),
    ])
    for curve in landscape.curves {
      let losses: [(String, (Landscape.Point) -> Double)] = [
        ("training", { $0.trainLoss }), ("test", { $0.testLoss }),
      ]
      for (name, loss) in losses {
        guard let first = curve.points.first, let last = curve.points.last,
          let highest = curve.highest(loss)
        else { continue }
        table.add([
          curve.path.rawValue, name, fixed(loss(first), 4), fixed(loss(last), 4),
          fixed(loss(highest), 4), fixed(highest.t, 3), fixed(curve.barrier(loss), 4),
        ])
      }
    }
    let connections = result.connections.map { grouped($0) }.joined(separator: " and ")
    let line =
      "\(result.runs.joined(separator: " to ")): \(connections) connections, "
      + "\(grouped(result.unionConnections)) in their union; \(grouped(result.trainSamples)) training "
      + "and \(grouped(result.testSamples)) test samples."
    return wrapped(line, width: width) + "\n\n" + table.text(width: width) + "\n\(result.file)\n"
  }
}

import Foundation
import RigLCore
import RigLExperiments
import Testing

/// The mathematics of paths between networks, by hand-worked numbers.
@Suite struct LandscapeTests {
  typealias Part = SparseUnion.Part

  @Test func aUnionHasZerosWhereOneLacksAConnection() {
    let union = SparseUnion(
      Part(positions: [0, 3, 4, 9], values: [1, 2, 3, 4]),
      Part(positions: [1, 3, 9, 11], values: [5, 6, 7, 8]), of: 12)
    #expect(union.positions == [0, 1, 3, 4, 9, 11])
    #expect(union.first == [1, 0, 2, 3, 4, 0])
    #expect(union.second == [0, 5, 6, 0, 7, 8])
    // Of nothing and something, and of the same.
    let one = SparseUnion(
      Part(positions: [], values: []), Part(positions: [2], values: [3]), of: 5)
    #expect(one.positions == [2] && one.first == [0] && one.second == [3])
  }

  @Test func aUnionOfAllPositionsNamesNone() {
    let dense = SparseUnion(
      Part(values: [1, 2, 3]), Part(positions: [1], values: [5]), of: 3)
    #expect(dense.positions == nil && dense.first == [1, 2, 3] && dense.second == [0, 5, 0])
    let both = SparseUnion(
      Part(positions: [0, 2], values: [1, 2]), Part(positions: [1], values: [3]), of: 3)
    #expect(both.positions == nil && both.first == [1, 0, 2] && both.second == [0, 3, 0])
    #expect(SparseUnion(Part(values: [1]), Part(values: [2]), of: 1).positions == nil)
  }

  @Test func mixturesAreTheFormulas() {
    let linear = LandscapePath.linear.mixture(at: 0.25)
    #expect(linear == LandscapePath.Mixture(first: 0.75, control: 0, second: 0.25))
    let curve = LandscapePath.bezier.mixture(at: 0.25)
    #expect(curve == LandscapePath.Mixture(first: 0.5625, control: 0.375, second: 0.0625))
    for path in LandscapePath.allCases {
      #expect(path.mixture(at: 0) == LandscapePath.Mixture(first: 1, control: 0, second: 0))
      #expect(path.mixture(at: 1) == LandscapePath.Mixture(first: 0, control: 0, second: 1))
      // Of three equal points, all of a path is that point.
      for t in [0.1, 0.3, 0.7] {
        let parts = path.mixture(at: t)
        #expect(abs(parts.first + parts.control + parts.second - 1) < 1e-15)
      }
    }
    // The middle of the ends as control point makes the curve the straight line.
    let (a, b) = (2.0, 7.0)
    for t in [0.2, 0.6] {
      let parts = LandscapePath.bezier.mixture(at: t)
      let value = parts.first * a + parts.control * (a + b) / 2 + parts.second * b
      #expect(abs(value - (a + t * (b - a))) < 1e-14)
    }
    #expect(LandscapePath.places(5) == [0, 0.25, 0.5, 0.75, 1])
  }

  /// ∂L/∂θ = 2 t (1 − t) L'(φ(t)) of L = sin, by finite differences.
  @Test(arguments: [0.0, 0.1, 0.5, 0.8, 1.0]) func theControlPointsGradientIsRight(t: Double) {
    let (a, b, theta) = (0.3, 1.9, -0.4)
    func point(_ theta: Double) -> Double {
      let parts = LandscapePath.bezier.mixture(at: t)
      return parts.first * a + parts.control * theta + parts.second * b
    }
    let h = 1e-6
    let difference = (sin(point(theta + h)) - sin(point(theta - h))) / (2 * h)
    let gradient = LandscapePath.controlSlope(at: t) * cos(point(theta))
    #expect(abs(difference - gradient) < 1e-9)
  }

  static func curve(_ losses: [Double], _ path: LandscapePath = .linear) -> Landscape.Curve {
    Landscape.Curve(
      path: path,
      points: losses.enumerated().map { index, loss in
        Landscape.Point(
          t: Double(index) / Double(losses.count - 1), trainLoss: loss, trainAccuracy: 0.5,
          testLoss: loss / 3, testAccuracy: 1 / 3)
      })
  }

  @Test func barriersAreHeightsAboveTheStraightLine() {
    // Above 1, 2, 3 by 0, 3, 0; the highest is not where the barrier is.
    #expect(Self.curve([1, 5, 3]).barrier(\.trainLoss) == 3)
    #expect(Self.curve([0, 4, 5, 5, 8]).barrier(\.trainLoss) == 2)
    #expect(Self.curve([0, 4, 5, 5, 8]).highest(\.trainLoss)?.t == 1)
    #expect(Self.curve([3, 1, 2]).barrier(\.trainLoss) == 0)
    #expect(abs(Self.curve([1, 5, 3]).barrier(\.testLoss) - 1) < 1e-15)
  }

  static let landscape = Landscape(
    first: "a, \"b\"", second: "<c> & d",
    curves: [curve([0.25, 5.125, 0.375]), curve([0.25, 1 / 3, 0.375], .bezier)])

  private func write(_ text: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/landscape-\(UUID().uuidString).csv"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  @Test func aFileComesBack() throws {
    let text = LandscapeFile.csv(Self.landscape)
    let lines = text.split(separator: "\n")
    #expect(
      lines[0] == "t,path,train_loss,train_accuracy,test_loss,test_accuracy,first_run,second_run")
    #expect(lines.count == 7 && lines[2].hasPrefix("0.5,linear,5.125,0.5,"))
    #expect(lines[2].hasSuffix(",\"a, \"\"b\"\"\",<c> & d"))
    let path = try write(text)
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try LandscapeFile.read(path) == Self.landscape)
  }

  @Test(arguments: [
    ("", "line 1"), ("t,path\n", "line 1"), ("HEAD\n", "lead from t = 0"),
    ("HEAD\n0.0,linear,1,1,1,1,a\n", "line 2: 7 cells"),
    ("HEAD\n0.0,cubic,1,1,1,1,a,b\n", "no path 'cubic'"),
    ("HEAD\n0.0,linear,nan,1,1,1,a,b\n", "train_loss is 'nan'"),
    ("HEAD\n0.0,linear,1,x,1,1,a,b\n", "train_accuracy is 'x'"),
    ("HEAD\n0.0,linear,1,1,1,1,a,b\n1.0,linear,1,1,1,1,a,c\n", "line 3: other runs"),
    ("HEAD\n0.0,linear,1,1,1,1,a,b\n", "lead from t = 0"),
    ("HEAD\n0.0,linear,1,1,1,1,a,b\n0.9,linear,1,1,1,1,a,b\n", "lead from t = 0"),
    ("HEAD\n1.0,linear,1,1,1,1,a,b\n0.0,linear,1,1,1,1,a,b\n", "lead from t = 0"),
    ("HEAD\n0.0,\"linear,1,1,1,1,a,b\n", "quotation mark"),
  ])
  func aDamagedFileSaysWhere(text: String, expected: String) throws {
    let header = LandscapeFile.csv(Self.landscape).split(separator: "\n")[0]
    let path = try write(text.replacingOccurrences(of: "HEAD", with: String(header)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let error = #expect(throws: RigLError.self) { try LandscapeFile.read(path) }
    #expect(
      error?.kind == .data && error?.what.contains(expected) == true, "\(String(describing: error))"
    )
    #expect(error?.what.hasPrefix(path) == true)
  }

  @Test func thePageDrawsLandscapes() throws {
    let other = Landscape(first: "a", second: "b", curves: [Self.curve([0, 0, 0, 0])])
    let page = try Report.html(
      of: Invented.one, landscapes: [Self.landscape, other], title: "x")
    #expect(PageReader(page).error == nil)
    #expect(page.contains("<section id=\"landscapes\"><h2>Loss landscape</h2>"))
    #expect(page.contains("href=\"#landscapes\""))
    #expect(page.contains("a, &quot;b&quot; (t = 0) to &lt;c&gt; &amp; d (t = 1)"))
    #expect(page.contains("linear path 4.812 on training and 1.604 on test samples"))
    #expect(page.contains("trained Bézier curve 0.021 on training"))
    #expect(!page.contains("nan"))
    #expect(
      try Report.html(of: Invented.one, landscapes: [other, Self.landscape], title: "x") == page)
    #expect(try !Report.html(of: Invented.one, title: "x").contains("Loss landscape"))
  }

  @Test func thePageDrawsTheGradientAfterUpdates() throws {
    var run = Invented.run("rigl", 0.98, 0)
    for (step, split, norm) in [
      (0, "initialisation", 0.25), (0, "after_update", 0.5), (100, "after_update", 1.5),
      (200, "after_update", 0.75),
    ] {
      var point = RunHistory.Point(step: step, split: split)
      point.gradientNorm = norm
      run.history?.points.append(point)
    }
    let page = try Report.html(of: [run], title: "x")
    #expect(page.contains("Gradient flow") && PageReader(page).error == nil)
    #expect(try !Report.html(of: Invented.one, title: "x").contains("Gradient flow"))
  }
}

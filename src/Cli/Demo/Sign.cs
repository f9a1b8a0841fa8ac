namespace MonoLoss.Cli;

/// <summary>What a part of a sign is painted with.</summary>
internal enum Tone
{
    /// <summary>The dark tone of the sign's family.</summary>
    Ink,

    /// <summary>A tone between ink and background.</summary>
    Middle,

    /// <summary>Nearly white.</summary>
    Paper,
}

/// <summary>A part of a sign.</summary>
/// <param name="Tone">Its tone.</param>
/// <param name="Path">Its outline in the notation of SVG, in a square of 48 × 48.</param>
/// <param name="Line">The width of the line along the outline; 0 to fill it.</param>
internal readonly record struct SignPart(Tone Tone, string Path, float Line = 0);

/// <summary>
/// The signs of things: pictograms that differ in shape, so that they are told apart without colour and at the size of a thumbnail.
/// </summary>
internal static class Sign
{
    /// <summary>Width and height of the square that signs are drawn in.</summary>
    public const int Box = 48;

    private static readonly Dictionary<string, SignPart[]> Parts = new()
    {
        ["cat"] =
        [
            Ink("M7 5 L18 14 Q24 12 30 14 L41 5 L43 27 Q42 43 24 43 Q6 43 5 27 Z"),
            Paper(Circle(16, 26, 4) + Circle(32, 26, 4)), Ink(Circle(16, 26, 1.8) + Circle(32, 26, 1.8)),
            Paper("M20.5 33 h7 l-3.5 4 z"),
        ],
        ["dog"] =
        [
            Ink("M13 12 Q24 4 35 12 L36 30 Q36 44 24 44 Q12 44 12 30 Z"),
            Middle("M14 7 Q3 8 3 27 Q5 35 13 29 L16 13 Z M34 7 Q45 8 45 27 Q43 35 35 29 L32 13 Z"),
            Paper(Circle(19, 21, 3) + Circle(29, 21, 3) + "M24 27 Q33 28 32 35 Q30 41 24 41 Q18 41 16 35 Q15 28 24 27 Z"),
            Ink("M19.5 29 H28.5 Q28 34 24 34 Q20 34 19.5 29 Z"),
        ],
        ["horse"] =
        [
            Ink("M15 45 H40 Q43 25 34 13 L32 4 L26 9 Q15 13 5 29 Q6 36 13 37 L24 29 Q25 36 15 45 Z"),
            Middle("M34 13 Q43 25 40 45 H45 Q49 22 37 10 L32 4 Z"),
            Paper(Circle(23.5, 18, 2.6)),
        ],
        ["owl"] =
        [
            Ink("M6 3 L16 9 Q24 7 32 9 L42 3 Q44 14 42 27 Q40 45 24 45 Q8 45 6 27 Q4 14 6 3 Z"),
            Paper(Circle(16, 19, 7.5) + Circle(32, 19, 7.5)), Ink(Circle(16, 19, 3.6) + Circle(32, 19, 3.6)),
            Paper("M24 23 L28 29 L24 34 L20 29 Z"),
            Line(Tone.Middle, "M15 37 q2.2 4 4.5 0 q2.2 4 4.5 0 q2.2 4 4.5 0 q2.2 4 4.5 0", 2),
        ],
        ["trout"] =
        [
            Ink("M2 25 Q12 10 27 13 Q33 15 37 22 L46 12 Q43 25 46 38 L37 28 Q33 35 27 37 Q12 40 2 25 Z"),
            Middle("M16 13 Q22 4 31 6 Q29 11 30 14 Q22 11 16 13 Z"),
            Paper(Circle(11, 22, 2.5)), Line(Tone.Paper, "M17 17 Q21 25 17 33 M25 21 h1 M30 25 h1 M25 29 h1", 2.2f),
        ],
        ["beetle"] =
        [
            Line(Tone.Ink, "M12 21 L4 15 M11 28 H3 M12 34 L5 41 M36 21 L44 15 M37 28 H45 M36 34 L43 41 M20 7 L15 2 M28 7 L33 2", 3),
            Ink("M24 16 Q38 16 38 29 Q37 45 24 45 Q11 45 10 29 Q10 16 24 16 Z"),
            Ink("M24 5 Q33 5 34 15 Q24 12 14 15 Q15 5 24 5 Z"),
            Line(Tone.Paper, "M24 18 V44", 2.2f),
            Paper(Circle(17, 26, 2.4) + Circle(31, 26, 2.4) + Circle(18, 35, 2.4) + Circle(30, 35, 2.4)),
        ],

        ["car"] =
        [
            Ink("M2 34 V25 Q2 22 6 21 L11 20 L16 12 Q17 10 20 10 H31 Q34 10 35 12 L40 20 L43 21 Q46 22 46 26 V34 Z"),
            Paper("M19 13 H25 V20 H15.5 Z M28 13 H32 L36 20 H28 Z"),
            Ink(Circle(13, 35, 6.5) + Circle(35, 35, 6.5)), Paper(Circle(13, 35, 2.8) + Circle(35, 35, 2.8)),
        ],
        ["bus"] =
        [
            Ink("M2 12 Q2 8 6 8 H42 Q46 8 46 12 V36 H2 Z"),
            Paper("M6 13 H13 V22 H6 Z M16 13 H23 V22 H16 Z M26 13 H33 V22 H26 Z M36 13 H42 V30 H36 Z"),
            Ink(Circle(12, 37, 5.5) + Circle(34, 37, 5.5)), Paper(Circle(12, 37, 2.3) + Circle(34, 37, 2.3)),
        ],
        ["tram"] =
        [
            Line(Tone.Ink, "M10 3 H38 M24 3 L18 8 L24 12 M24 3 L30 8 L24 12 M15 39 L10 46 M33 39 L38 46", 2.6f),
            Ink("M10 15 Q10 11 15 11 H33 Q38 11 38 15 V36 Q38 40 33 40 H15 Q10 40 10 36 Z"),
            Paper("M14 16 H34 V27 H14 Z" + Circle(17, 34, 2.4) + Circle(31, 34, 2.4)),
            Line(Tone.Ink, "M24 15 V28", 2),
        ],
        ["bicycle"] =
        [
            Line(Tone.Ink, Circle(11.5, 32, 9) + Circle(36.5, 32, 9), 3.2f),
            Line(Tone.Ink, "M11.5 32 L18 17 H33 L22 32 H11.5 M22 32 L17 13 M13 12.5 H21 M36.5 32 L31 11 H37", 2.8f),
        ],
        ["boat"] =
        [
            Ink("M3 34 H45 Q42 44 34 45 H14 Q6 44 3 34 Z"),
            Line(Tone.Ink, "M23 34 V3", 2.4f), Paper("M26 5 Q42 16 42 30 H26 Z"), Middle("M20 9 Q10 18 7 30 H20 Z"),
        ],
        ["plane"] =
        [
            Ink("M24 2 Q28 4 28 12 V17 L46 29 V34 L28 29 L27 39 L34 44 V47 L24 45"
                + " L14 47 V44 L21 39 L20 29 L2 34 V29 L20 17 V12 Q20 4 24 2 Z"),
            Paper("M24 6 Q26 7 26 11 H22 Q22 7 24 6 Z"),
        ],

        ["bread"] =
        [
            Ink("M11 44 V24 Q3 22 4 14 Q6 5 24 5 Q42 5 44 14 Q45 22 37 24 V44 Z"),
            Paper("M15 40 V21 Q8 19 9 14 Q11 9 24 9 Q37 9 39 14 Q40 19 33 21 V40 Z"),
            Middle(Circle(20, 18, 1.8) + Circle(27, 25, 2.2) + Circle(20, 32, 1.8) + Circle(29, 34, 1.5) + Circle(30, 15, 1.5)),
        ],
        ["apple"] =
        [
            Ink("M24 15 Q31 10 38 13 Q45 17 44 27 Q42 41 33 45 Q28 46 24 43 Q20 46 15 45 Q6 41 4 27 Q3 17 10 13 Q17 10 24 15 Z"),
            Line(Tone.Ink, "M24 15 Q23 9 26 4", 3), Middle("M27 10 Q29 2 39 3 Q38 11 27 10 Z"),
            Line(Tone.Paper, "M11 28 Q10 21 15 18", 3),
        ],
        ["cheese"] =
        [
            Middle("M2 24 L30 7 Q45 11 46 24 Z"), Ink("M2 24 H46 V41 H2 Z"),
            Paper(Circle(13, 34, 4) + Circle(29, 31, 3) + Circle(38, 38, 3) + "M30 15 a4 2.6 0 1 0 0.01 0 z"),
        ],
        ["soup"] =
        [
            Ink("M3 25 H45 Q44 39 32 42 V45 H16 V42 Q4 39 3 25 Z"), Paper("M9 30 H39 Q39 32 38.4 33 H9.6 Q9 32 9 30 Z"),
            Line(Tone.Ink, "M15 20 q-4 -4 0 -8 t0 -8 M24 20 q-4 -4 0 -8 t0 -8 M33 20 q-4 -4 0 -8 t0 -8", 3),
        ],
        ["rice"] =
        [
            Paper("M24 4 Q29 4 33 11 L44 32 Q48 43 38 44 H10 Q0 43 4 32 L15 11 Q19 4 24 4 Z"),
            Line(Tone.Ink, "M24 4 Q29 4 33 11 L44 32 Q48 43 38 44 H10 Q0 43 4 32 L15 11 Q19 4 24 4 Z", 3),
            Ink("M15 28 H33 V44 H15 Z"),
        ],
        ["cake"] =
        [
            Line(Tone.Ink, "M24 18 V10", 3), Middle("M24 1 Q29 6 24 10 Q19 6 24 1 Z"),
            Ink("M5 23 Q5 18 10 18 H38 Q43 18 43 23 V43 H5 Z"),
            Paper("M5 23 Q5 18 10 18 H38 Q43 18 43 23 V27 q-3.2 6 -6.3 0 q-3.2 6 -6.3 0 q-3.2 6 -6.4 0 q-3.2 6 -6.4 0 q-3.2 6 -6.3 0"
                + " q-3.2 6 -6.3 0 Z"),
            Line(Tone.Paper, "M6 38 H42", 2.4f), Line(Tone.Ink, "M2 44 H46", 3),
        ],

        ["house"] =
        [
            Ink("M24 4 L46 24 L42 27 L40 25 V44 H8 V25 L6 27 L2 24 Z"), Paper("M19 29 H29 V44 H19 Z"), Paper(Circle(24, 19, 3.4)),
        ],
        ["tower"] =
        [
            Ink("M10 3 H16 V8 H21 V3 H27 V8 H32 V3 H38 V17 L34 20 V38 H38 V45 H10 V38 H14 V20 L10 17 Z"),
            Paper("M20 45 V37 Q20 33 24 33 Q28 33 28 37 V45 Z M22 22 H26 V29 H22 Z"),
        ],
        ["bridge"] =
        [
            Line(Tone.Ink, "M12 6 V44 M36 6 V44", 4.4f), Ink("M1 29 H47 V35 H1 Z"),
            Line(Tone.Ink, "M2 28 Q9 22 12 8 Q24 40 36 8 Q39 22 46 28", 2.6f), Line(Tone.Ink, "M18 20 V29 M24 23 V29 M30 20 V29", 2),
        ],
        ["barn"] =
        [
            Ink("M24 3 L38 11 L45 24 L41 26 V45 H7 V26 L3 24 L10 11 Z"), Paper("M14 26 H34 V45 H14 Z M20 12 H28 V19 H20 Z"),
            Line(Tone.Ink, "M14 26 L34 45 M34 26 L14 45", 2.8f),
        ],
        ["church"] =
        [
            Line(Tone.Ink, "M15 1 V12 M11 4.5 H19", 2.6f), Ink("M15 8 L24 21 L46 30 V45 H6 V21 Z"),
            Paper("M12 45 V36 Q12 32 15 32 Q18 32 18 36 V45 Z M27 34 Q27 30 29.5 30 Q32 30 32 34 V39 H27 Z"
                + " M36 34 Q36 31 38.5 31 Q41 31 41 34 V39 H36 Z" + Circle(15, 24, 3)),
        ],
        ["stadium"] =
        [
            Ink("M15 7 H33 A15 17 0 0 1 33 41 H15 A15 17 0 0 1 15 7 Z"),
            Line(Tone.Paper, "M16 13 H32 A9 11 0 0 1 32 35 H16 A9 11 0 0 1 16 13 Z", 2.6f),
            Line(Tone.Paper, "M24 13 V35" + Circle(24, 24, 4), 2),
        ],

        ["oak"] =
        [
            Ink("M20 45 L21 30 H27 L28 45 Z"),
            Ink("M24 3 Q33 2 35 9 Q44 10 43 19 Q47 27 39 31 Q33 36 24 33 Q15 36 9 31 Q1 27 5 19 Q4 10 13 9 Q15 2 24 3 Z"),
            Line(Tone.Paper, "M12 21 q3 -5 7 -1 M24 13 q4 -4 7 1 M26 26 q4 -4 8 -1", 2.4f),
        ],
        ["rose"] =
        [
            Line(Tone.Ink, "M24 26 V46", 3.2f), Middle("M24 41 Q10 42 8 31 Q21 29 24 41 Z M24 44 Q38 42 40 33 Q28 32 24 44 Z"),
            Ink(Circle(24, 16, 14)), Line(Tone.Paper, "M24 16 q3 -3 -1 -4 q-6 0 -5 6 q2 7 10 5 q6 -4 3 -11 q-5 -6 -13 -4", 2.4f),
        ],
        ["fern"] =
        [
            Line(Tone.Ink, "M24 46 V5 M9 33 L24 40 L39 33 M7 24 L24 32 L41 24 M10 16 L24 24 L38 16 M15 9 L24 16 L33 9", 4),
        ],
        ["cactus"] =
        [
            Line(Tone.Ink, "M24 9 V42", 10), Line(Tone.Ink, "M24 31 H10 V19 M24 26 H38 V13", 7),
            Line(Tone.Paper, "M24 12 h.1 M24 20 h.1 M24 28 h.1 M24 36 h.1", 2.6f), Ink("M8 42 H40 V46 H8 Z"),
        ],
        ["moss"] =
        [
            Line(Tone.Ink, "M12 31 V16 M24 24 V9 M36 31 V16", 2.4f), Ink(Circle(12, 13, 4.2) + Circle(24, 6.5, 4.2) + Circle(36, 13, 4.2)),
            Ink("M1 44 Q2 30 13 30 Q16 23 24 23 Q32 23 35 30 Q46 30 47 44 Z"),
            Paper(Circle(13, 38, 2) + Circle(24, 32, 2) + Circle(35, 38, 2) + Circle(24, 40, 2)),
        ],
        ["wheat"] =
        [
            Line(Tone.Ink, "M24 46 V8", 2.6f),
            Ink(string.Concat(Enumerable.Range(0, 4).Select(i => Leaf(24, 36 - (8 * i), -10) + Leaf(24, 36 - (8 * i), 10)))
                + "M24 1 Q29 6 24 12 Q19 6 24 1 Z"),
        ],

        ["hammer"] =
        [
            Middle("M20 17 H28 V46 H20 Z"), Ink("M8 5 H32 Q41 6 44 17 Q38 13 32 16 V18 H8 Z"),
        ],
        ["saw"] =
        [
            Paper("M2 17 L32 14 V33 L30 30 L27 34 L24 30.5 L21 34 L18 31 L15 34 L12 31.5 L9 34 L6 32 L3 34 Z"),
            Line(Tone.Ink, "M2 17 L32 14 V33 L30 30 L27 34 L24 30.5 L21 34 L18 31 L15 34 L12 31.5 L9 34 L6 32 L3 34 Z", 2.4f),
            Ink("M31 9 H41 Q47 10 47 17 V31 Q47 38 41 38 H31 Z"), Paper("M36 17 H40 Q42 17 42 20 V27 Q42 30 40 30 H36 Z"),
        ],
        ["wrench"] =
        [
            Ink("M16 2 V12 L24 17 L32 12 V2 Q41 7 41 16 Q40 24 31 27 V40 Q31 46 24 46 Q17 46 17 40 V27 Q8 24 7 16 Q7 7 16 2 Z"),
            Paper(Circle(24, 39, 2.8)),
        ],
        ["drill"] =
        [
            Ink("M13 8 H33 Q36 8 36 11 V21 Q36 24 33 24 H28 L31 40 H35 V45 H17 V40 L14 24 H13 Z"), Middle("M4 11 H11 V21 H4 Z"),
            Line(Tone.Ink, "M36 16 H47", 3), Line(Tone.Paper, "M18 13 H29 M18 18 H29", 2.4f),
        ],
        ["spade"] =
        [
            Line(Tone.Ink, "M17 5 H31 M24 5 V27", 4.4f), Ink("M10 24 H38 V33 Q36 42 24 47 Q12 42 10 33 Z"),
            Line(Tone.Paper, "M24 29 V40", 2.4f),
        ],
        ["brush"] =
        [
            Middle("M20 2 H28 V17 H20 Z"), Ink("M9 16 H39 V27 H9 Z"), Paper("M11 28 H37 V37 L33 45 L29 38 L24 46 L19 38 L15 45 L11 37 Z"),
            Line(Tone.Ink, "M11 28 H37 V37 L33 45 L29 38 L24 46 L19 38 L15 45 L11 37 Z", 2.4f),
        ],
    };

    /// <summary>The sign of a thing.</summary>
    /// <param name="thing">Its label.</param>
    /// <returns>The parts, to be painted one on another.</returns>
    public static IReadOnlyList<SignPart> Of(string thing) => Parts[thing];

    private static SignPart Ink(string path) => new(Tone.Ink, path);

    private static SignPart Middle(string path) => new(Tone.Middle, path);

    private static SignPart Paper(string path) => new(Tone.Paper, path);

    private static SignPart Line(Tone tone, string path, float width) => new(tone, path, width);

    private static string Circle(double x, double y, double radius) => FormattableString.Invariant(
        $"M{x - radius} {y} a{radius} {radius} 0 1 1 {2 * radius} 0 a{radius} {radius} 0 1 1 {-2 * radius} 0 Z ");

    private static string Leaf(double x, double y, double reach) => FormattableString.Invariant(
        $"M{x} {y + 4} Q{x + (0.2 * reach)} {y - 5} {x + reach} {y - 8} Q{x + (1.2 * reach)} {y + 2} {x} {y + 4} Z ");
}

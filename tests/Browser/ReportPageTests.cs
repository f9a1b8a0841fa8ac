using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using MonoLoss.Models;
using SkiaSharp;

namespace MonoLoss.BrowserTests;

/// <summary>The report in a real browser: what a reader does with it. Skipped where there is no Chromium.</summary>
public sealed class ReportPageTests(ReportSite report, Browser browser) : IClassFixture<ReportSite>, IClassFixture<Browser>, IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _problems = [];
    private IPage _page = null!;

    public async ValueTask InitializeAsync()
    {
        if (browser.Chromium is null)
        {
            return;
        }

        _page = await browser.Chromium.NewPageAsync();
        _page.Console += (_, message) => _problems.Enqueue($"console: {message.Text}");
        _page.PageError += (_, error) => _problems.Enqueue($"error: {error}");
        _page.Dialog += (_, dialog) => _problems.Enqueue($"dialog: {dialog.Message}");
        _page.RequestFailed += (_, request) => _problems.Enqueue($"failed: {request.Url}");
        _page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith("file:", StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal))
            {
                _problems.Enqueue($"request: {request.Url}");
            }
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (browser.Chromium is not null)
        {
            await _page.CloseAsync();
        }

        Assert.Empty(_problems);
    }

    [Fact]
    public async Task The_list_has_every_latent_and_shows_more_as_it_is_scrolled()
    {
        await Open(report.Site, "#/latents?run=1&rows=0");
        await Assertions.Expect(_page.Locator("#count")).ToContainTextAsync($"{ReportSite.Latents} shown");
        var rows = _page.Locator(".list tbody tr");
        while (await rows.CountAsync() < ReportSite.Latents)
        {
            var before = await rows.CountAsync();
            await _page.EvaluateAsync("window.scrollTo(0, document.body.scrollHeight)");
            await _page.WaitForFunctionAsync("count => document.querySelectorAll('.list tbody tr').length > count", before);
        }

        var scores = await Column("MonoScore");
        Assert.Equal(Latents("monoloss").Select(latent => latent.MonoScore).OrderDescending().Select(Three), scores);
    }

    [Theory]
    [InlineData("purity")]
    [InlineData("density")]
    [InlineData("max")]
    [InlineData("number")]
    [InlineData("difference")]
    public async Task Sorting_orders_the_list_both_ways(string key)
    {
        await Open(report.Site, "#/latents?run=1&rows=1");
        await _page.SelectOptionAsync("#sort", key);
        await Assertions.Expect(_page.Locator("#sort")).ToHaveValueAsync(key);
        await _page.WaitForFunctionAsync("key => location.hash.includes(`sort=${key}`)", key);
        var falling = await Numbers();
        await _page.ClickAsync("#direction");
        await Assertions.Expect(_page.Locator("#direction")).ToContainTextAsync("smallest");
        var rising = await Numbers();
        var known = falling.Where(double.IsFinite).ToList();
        Assert.NotEmpty(known);
        Assert.Equal(known.OrderDescending(), known);
        Assert.Equal(rising.Where(double.IsFinite).Order(), rising.Where(double.IsFinite));

        async Task<List<double>> Numbers()
        {
            var texts = key == "number"
                ? await _page.Locator(".list tbody td:first-child").AllInnerTextsAsync()
                : await Column(key == "max" ? "largest" : key);
            return [.. texts.Select(text => double.TryParse(
                text.Replace('−', '-').Replace("%", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture, out var value)
                    ? value : double.NaN)];
        }
    }

    [Fact]
    public async Task Search_finds_numbers_and_labels_as_they_are()
    {
        await Open(report.Site, "#/latents?rows=1");
        await _page.FillAsync("#search", ReportSite.Classes[2]);
        await _page.WaitForURLAsync("**q=*");
        Assert.All(await _page.Locator(".list td.text").AllInnerTextsAsync(), label => Assert.Equal(ReportSite.Classes[2], label));
        var one = Latents("monoloss").Index().First(latent => latent.Item.ActivationCount > 0).Index;
        await _page.FillAsync("#search", $"{one}");
        await Assertions.Expect(_page.Locator("#count")).ToContainTextAsync("1 shown");
        await Assertions.Expect(_page.Locator(".list tbody a").First).ToHaveTextAsync($"{one}");
        await _page.FillAsync("#search", "nothing is called so");
        await Assertions.Expect(_page.Locator("#latents")).ToContainTextAsync("No latent fits");
    }

    [Fact]
    public async Task A_latents_page_shows_the_pictures_of_its_samples_in_order()
    {
        var samples = SamplesFile.Read(Path.Combine(report.SiteFolder, "data", "1", "samples.parquet"));
        var latent = samples.GroupBy(sample => sample.Latent).First(group => group.Count() > 20).Key;
        await Open(report.Site, $"#/latent/1/{latent}");
        await Assertions.Expect(_page.Locator("#latent h2")).ToContainTextAsync($"Latent {latent} of monoloss");
        foreach (var (title, rank) in new[] { ("Top", SampleRank.Top), ("Middle", SampleRank.Middle), ("Bottom", SampleRank.Bottom) })
        {
            var figures = _page.Locator($"section:has(h3:text-is('{title} samples')) figure");
            var expected = samples.Where(sample => sample.Latent == latent && sample.Rank == rank).ToList();
            await Assertions.Expect(figures).ToHaveCountAsync(expected.Count);
            for (var i = 0; i < expected.Count; i++)
            {
                var image = figures.Nth(i).Locator("img");
                await image.EvaluateAsync("image => image.decode()");
                // Lossy compression moves colors by a few units; the nearest picture is the row's.
                var shown = await image.EvaluateAsync<int[]>(
                    "image => { const c = document.createElement('canvas'); return [image.naturalWidth, image.naturalHeight]; }");
                Assert.Equal([24, 24], shown);
                Assert.Equal(expected[i].Row, RowOf(await image.GetAttributeAsync("src")));
                Assert.StartsWith(
                    expected[i].Activation.ToString("G3", CultureInfo.InvariantCulture)[..4],
                    await figures.Nth(i).Locator("figcaption").InnerTextAsync(),
                    StringComparison.Ordinal);
            }
        }

        await Assertions.Expect(_page.Locator("h3:text-is('Activations')")).ToHaveCountAsync(1);
        await Assertions.Expect(_page.Locator("#latent .bars").First).ToContainTextAsync("%");
    }

    [Fact]
    public async Task Keys_move_through_list_and_latents_and_back_returns()
    {
        await Open(report.Site, string.Empty);
        await _page.Keyboard.PressAsync("l");
        await _page.WaitForURLAsync("**#/latents**");
        await _page.Keyboard.PressAsync("/");
        await Assertions.Expect(_page.Locator("#search")).ToBeFocusedAsync();
        await _page.Keyboard.PressAsync("Escape");
        await _page.Keyboard.PressAsync("j");
        await _page.Keyboard.PressAsync("j");
        await _page.Keyboard.PressAsync("k");
        var links = await _page.Locator(".list tbody a").AllInnerTextsAsync();
        await _page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(_page.Locator("#latent h2")).ToContainTextAsync($"Latent {links[0]} ");
        await _page.Keyboard.PressAsync("ArrowRight");
        await Assertions.Expect(_page.Locator("#latent h2")).ToContainTextAsync($"Latent {links[1]} ");
        await _page.Keyboard.PressAsync("ArrowLeft");
        await Assertions.Expect(_page.Locator("#latent h2")).ToContainTextAsync($"Latent {links[0]} ");
        await _page.GoBackAsync();
        await Assertions.Expect(_page.Locator("#latent h2")).ToContainTextAsync($"Latent {links[1]} ");
        await _page.Keyboard.PressAsync("Escape");
        await Assertions.Expect(_page.Locator("#latents")).ToBeVisibleAsync();
        await _page.Keyboard.PressAsync("?");
        await Assertions.Expect(_page.Locator("#help")).ToBeVisibleAsync();
        await _page.Keyboard.PressAsync("Escape");
        await _page.Keyboard.PressAsync("o");
        await Assertions.Expect(_page.Locator("#overview")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Back_from_a_latent_returns_to_the_same_place_in_the_list()
    {
        await Open(report.Site, "#/latents?run=0&rows=0");
        while (await _page.Locator(".list tbody tr").CountAsync() < 100)
        {
            await _page.EvaluateAsync("window.scrollTo(0, document.body.scrollHeight)");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        var link = _page.Locator(".list tbody a").Nth(80);
        await link.ScrollIntoViewIfNeededAsync();
        var place = await _page.EvaluateAsync<double>("window.scrollY");
        Assert.True(place > 500);
        await link.ClickAsync();
        await Assertions.Expect(_page.Locator("#latent")).ToBeVisibleAsync();
        await _page.GoBackAsync();
        await Assertions.Expect(_page.Locator("#latents")).ToBeVisibleAsync();
        Assert.Equal(place, await _page.EvaluateAsync<double>("window.scrollY"), 2.0);
    }

    [Theory]
    [InlineData(1280, ColorScheme.Light)]
    [InlineData(1280, ColorScheme.Dark)]
    [InlineData(400, ColorScheme.Light)]
    [InlineData(400, ColorScheme.Dark)]
    public async Task Nothing_is_wider_than_the_page(int width, ColorScheme scheme)
    {
        await Open(report.Site, string.Empty);
        await _page.SetViewportSizeAsync(width, 900);
        await _page.EmulateMediaAsync(new() { ColorScheme = scheme });
        var latent = Latents("monoloss").Index().MaxBy(latent => latent.Item.ActivationCount).Index;
        foreach (var hash in new[] { "#/", "#/latents", $"#/latent/1/{latent}" })
        {
            await Open(report.Site, hash);
            await Assertions.Expect(_page.Locator("main:not([hidden])")).ToHaveCountAsync(1);
            Assert.True(await _page.EvaluateAsync<int>("document.documentElement.scrollWidth") <= width, hash);
        }

        var background = await _page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");
        var light = int.Parse(Regex.Match(background, "[0-9]+").Value, CultureInfo.InvariantCulture);
        Assert.Equal(scheme == ColorScheme.Light, light > 128);
    }

    [Fact]
    public async Task One_file_has_the_best_latents_with_their_pictures()
    {
        await Open(report.Single, "#/latents?run=1&rows=0");
        await Assertions.Expect(_page.Locator(".list tbody tr")).ToHaveCountAsync(20);
        await Assertions.Expect(_page.Locator("#count")).ToContainTextAsync($"the best 20 of {ReportSite.Latents}");
        var best = await _page.Locator(".list tbody a").First.InnerTextAsync();
        await _page.Locator(".list tbody a").First.ClickAsync();
        await Assertions.Expect(_page.Locator("#latent h2")).ToContainTextAsync($"Latent {best} ");
        var image = _page.Locator("#latent figure img").First;
        Assert.StartsWith("data:image/webp", await image.GetAttributeAsync("src"), StringComparison.Ordinal);
        await image.EvaluateAsync("image => image.decode()");
    }

    [Fact]
    public async Task A_report_without_pictures_has_ids_labels_and_activations()
    {
        var run = report.Run("monoloss");
        await Open(new Uri(Path.Combine(run, "report.html")).AbsoluteUri, "#/latents");
        await _page.Locator(".list tbody a").First.ClickAsync();
        var caption = await _page.Locator("#latent figcaption").First.InnerTextAsync();
        Assert.Contains(".png", caption, StringComparison.Ordinal);
        Assert.Contains(ReportSite.Classes, label => caption.Contains(label, StringComparison.Ordinal));
        await Assertions.Expect(_page.Locator("#latent figure img")).ToHaveCountAsync(0);
    }

    private async Task Open(string address, string hash)
    {
        Assert.SkipWhen(browser.Chromium is null, "needs chromium");
        await _page.GotoAsync("about:blank");
        await _page.GotoAsync(address + hash);
        await _page.WaitForSelectorAsync("nav:not([hidden])");
    }

    private async Task<IReadOnlyList<string>> Column(string name) =>
        [.. (await _page.Locator($".list td[data-name='{name}']").AllInnerTextsAsync()).Select(text => text.Trim())];

    private List<LatentResult> Latents(string run) => MetricsFiles.ReadLatents(Path.Combine(report.Run(run), "latents.parquet")).Latents;

    /// <summary>The row of which a thumbnail is, by its color.</summary>
    private int RowOf(string? source)
    {
        using var bitmap = SKBitmap.Decode(Path.Combine(report.SiteFolder, source!));
        var color = bitmap.GetPixel(12, 12);
        return Enumerable.Range(0, ReportSite.Rows).MinBy(row =>
        {
            var other = ReportSite.Color(row);
            return Math.Abs(other.Red - color.Red) + Math.Abs(other.Green - color.Green) + Math.Abs(other.Blue - color.Blue);
        });
    }

    private static string Three(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}

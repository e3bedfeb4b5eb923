using System.Diagnostics;
using Alebrije.Preprocessing.Tokenizers.Cleaning;
using Alebrije.Verification;

namespace Alebrije.Tests.Tokenizers.Cleaning;

/// <summary>DeepFloyd IF's cleaning of captions.</summary>
public sealed class CaptionCleaningTests
{
    [Fact]
    public void Clean_OfATagThatCannotEnd_IsNotReadInEveryWay()
    {
        var clock = Stopwatch.StartNew();
        HtmlText.Of("<a " + string.Concat(Enumerable.Repeat("b= ", 4000)) + "d='1' c=\"x>");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 2);
    }

    [Fact]
    public void Golden_EveryCaptionIsCleanedAsByTheReference()
    {
        var report = Verifier.Run(Path.Combine(AppContext.BaseDirectory, "Fixtures", "if-clean-caption"),
            cancellation: TestContext.Current.CancellationToken);
        Assert.True(report.Ok, report.First);
        Assert.Equal([("clean", 457), ("plain", 457)], report.Cases.Select(c => (c.Output, c.Texts)));
    }

    [Theory]
    [InlineData("a <b>red</b> car", "a red car")]
    [InlineData("1 < 2 & 3 <4", "1 < 2 & 3 <4")]
    [InlineData("a<!-- b > c -->d<!doctype html>e<?php f ?>g", "adeg")]
    [InlineData("a<script>b < c</script>d<style>e</style>f", "adf")]
    [InlineData("a<img alt=\"x > y\" src='z'>b", "ab")]
    [InlineData("a<never closed", "a<never closed")]
    [InlineData("a</b>c</>d", "acd")]
    [InlineData("a<b c= d>e<f g/>h<br / >i<j k='l' , m>n", "aehin")]
    [InlineData("&lt;i&gt; &eacute; &nosuch; &#65;&#x42; &", "<i> é &nosuch AB &")]
    public void Html_LosesItsTags(string html, string text) => Assert.Equal(text, HtmlText.Of(html));

    [Theory]
    [InlineData("a&")]
    [InlineData("<a")]
    [InlineData("-_")]
    [InlineData("<a b=\"c\" ")]
    [InlineData("x1x")]
    [InlineData("a.b-")]
    public void Clean_OfLongTexts_TakesNoTimeToSpeakOf(string part)
    {
        var clock = Stopwatch.StartNew();
        CaptionCleaning.Clean(string.Concat(Enumerable.Repeat(part, 2000)));
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }
}
